import assert from "node:assert/strict";
import { type Destinations, startDestinations } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import {
  type AgentProcess,
  isForeign,
  type ServerProcess,
  startAgent,
  startServer,
} from "../support/processes/processes.ts";
import {
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import type { ScenarioResult } from "./go_peers.ts";

/** What clients meet: protocol and transport. */
export type FrontendKind = "grpc-uds" | "grpc-tls" | "connect-uds" | "connect-tls";

export const frontendKinds: readonly FrontendKind[] = ["grpc-uds", "grpc-tls", "connect-uds", "connect-tls"];

/** A server with one frontend, perhaps an agent, and destinations of every kind; all of them processes or sockets. */
export interface Topology extends AsyncDisposable {
  readonly kind: FrontendKind;
  readonly server: ServerProcess;
  readonly agent: AgentProcess | undefined;
  readonly destinations: Destinations;
  readonly certificates: TestCertificateFiles;
  /** Path of the frontend's Unix socket; empty over TLS. */
  readonly uds: string;
  /** Port of the frontend on 127.0.0.1; 0 over a Unix socket. */
  readonly port: number;
  /** Folder for the test's own files, removed at the end. */
  readonly folder: string;
}

/** Server flags for the other of our two HTTP/2 implementations; another server has but one. */
export const runtimeHttp2: readonly string[] = isForeign("server") ? [] : ["--http2=runtime"];

/** How a topology differs from the plain one. */
export interface TopologyOptions {
  /** Start our agent and wait until it is connected; default true. */
  readonly agent?: boolean;
  readonly serverFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
}

/** Starts one. */
export async function startTopology(kind: FrontendKind, options: TopologyOptions = {}): Promise<Topology> {
  await using started = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  started.defer(() => Deno.remove(folder, { recursive: true }));
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const destinations = started.use(await startDestinations());
  const overTls = kind.endsWith("-tls");
  const uds = overTls ? "" : `${folder}/frontend.sock`;
  const port = overTls ? await freePort() : 0;
  const server = started.use(
    await startServer([
      `--mode=${kind.startsWith("grpc") ? "grpc" : "http-connect"}`,
      `--server-port=${port}`,
      ...(overTls
        ? [
          "--server-bind-address=127.0.0.1",
          `--server-ca-cert=${certificates.caCert}`,
          `--server-cert=${certificates.serverCert}`,
          `--server-key=${certificates.serverKey}`,
        ]
        : [`--uds-name=${uds}`]),
      `--cluster-ca-cert=${certificates.caCert}`,
      `--cluster-cert=${certificates.serverCert}`,
      `--cluster-key=${certificates.serverKey}`,
      ...(options.serverFlags ?? []),
    ]),
  );
  let agent: AgentProcess | undefined;
  if (options.agent ?? true) {
    agent = started.use(
      await startAgent([...agentFlags(certificates, server.agentPort), ...(options.agentFlags ?? [])]),
    );
    await agent.ready();
    await server.ready();
  }
  const owned = started.move();
  return {
    kind,
    server,
    agent,
    destinations,
    certificates,
    uds,
    port,
    folder,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Flags with which an agent connects to a server on this machine. */
export function agentFlags(certificates: TestCertificateFiles, port: number): readonly string[] {
  return [
    `--ca-cert=${certificates.caCert}`,
    `--agent-cert=${certificates.clientCert}`,
    `--agent-key=${certificates.clientKey}`,
    "--proxy-server-host=127.0.0.1",
    `--proxy-server-port=${port}`,
    "--sync-interval=100ms",
    "--sync-interval-cap=1s",
  ];
}

/** Fails with the peer's words and the ends of the logs when the scenario failed; else waits until no tunnel is left. */
export async function assertScenario(topology: Topology, result: ScenarioResult): Promise<void> {
  if (!result.ok) assert.fail(`${result.name}: ${result.detail}\n${logsOf(topology)}`);
  await assertNoTunnelLeft(topology);
}

/** Waits until every destination has been left. */
export async function assertNoTunnelLeft(topology: Topology): Promise<void> {
  try {
    await until("no connection to a destination is left", () => topology.destinations.open === 0);
  } catch (error) {
    assert.fail(`${error instanceof Error ? error.message : error}\n${logsOf(topology)}`);
  }
}

/** The ends of both logs. */
export function logsOf(topology: Topology): string {
  return [topology.server.program, topology.agent?.program].map((program) => program?.tail() ?? "").join("\n");
}

const shared: {
  readonly start: () => Promise<Topology>;
  started?: PromiseSettledResult<Topology>;
}[] = [];

/**
 * A topology that the tests of a file share: started before the first, stopped after the last, as all the others of
 * that file. When it does not start, each of its tests fails with the reason.
 */
export function sharedTopology(kind: FrontendKind, options: TopologyOptions = {}): () => Topology {
  if (shared.length === 0) {
    Deno.test.beforeAll(startShared);
    Deno.test.afterAll(stopShared);
  }
  const one: (typeof shared)[number] = { start: () => startTopology(kind, options) };
  shared.push(one);
  return () => {
    if (one.started?.status === "fulfilled") return one.started.value;
    throw one.started?.reason ?? new Error(`the ${kind} topology has not been started`);
  };
}

async function startShared(): Promise<void> {
  const results = await Promise.allSettled(shared.map(({ start }) => start()));
  shared.forEach((one, index) => {
    const result = results[index];
    if (result !== undefined) one.started = result;
  });
}

async function stopShared(): Promise<void> {
  const stops = await Promise.allSettled(shared.map(async ({ started }) => {
    if (started?.status === "fulfilled") await started.value[Symbol.asyncDispose]();
  }));
  const failures = stops.flatMap((stop) => stop.status === "rejected" ? [stop.reason] : []);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
}
