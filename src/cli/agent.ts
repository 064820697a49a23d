import { getLogger } from "@logtape/logtape";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { systemClock } from "../agent/clock.ts";
import type { KeepaliveOptions } from "../agent/keepalive.ts";
import { ProxyAgent } from "../agent/proxy_agent.ts";
import type { ServerCounter } from "../agent/server_count.ts";
import { dialTcp } from "../net/dial_tcp.ts";
import { bytesReadSoFar } from "../net/read_meter.ts";
import { watchTls } from "../net/tls_watch.ts";
import { agentAdminApp } from "../ops/admin.ts";
import { type AgentMetrics, createAgentMetrics } from "../ops/agent_metrics.ts";
import { watchCalmHeap } from "../ops/calm_heap.ts";
import { watchEventLoop } from "../ops/event_loop.ts";
import { agentHealthApp } from "../ops/health.ts";
import { type HttpServer, serveHttp } from "../ops/http_server.ts";
import { formatHostPort } from "../wire/host_port.ts";
import { PacketCounts } from "../wire/packet_counts.ts";
import { agentLinks } from "./agent_links.ts";
import type { AgentOptions } from "./agent_options.ts";
import { endingSignals } from "./signals.ts";
import { version } from "./version.ts";

const log = getLogger(["agent"]);

/** How long a server may take to show that it lives, in milliseconds. */
const keepaliveTimeoutMs = 10_000;

/** gRPC raises a keepalive below 10 s to that. */
const minKeepaliveMs = 10_000;

/** A proxy-agent that runs. */
export interface RunningAgent extends AsyncDisposable {
  readonly agent: ProxyAgent;
  readonly health: HttpServer;
  readonly admin: HttpServer;
}

/**
 * Composes and starts a proxy-agent from validated options. Its health and admin ports are open before it connects.
 * @throws {TlsFilesError} {@link HttpListenError} naming the file or address and the cause
 * @throws {KubeConfigError} when leases should be counted and it is not known how to reach the API
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  await using undo = new AsyncDisposableStack();
  const tls = undo.use(await watchTls({ ca: options.caCert, cert: options.agentCert, key: options.agentKey }));
  const packets = { from_agent: new PacketCounts(), to_agent: new PacketCounts() };
  const metrics: AgentMetrics = createAgentMetrics(() => agent, { version });
  metrics.certificateExpiry("agent", () => tls.expirySeconds);
  const counter = options.countServerLeases ? await leaseCounter(options, metrics, undo) : undefined;
  const agent = new ProxyAgent({
    dial: dialTcp,
    clock: systemClock,
    events: metrics.events,
    packets,
    servers: {
      hosts: options.proxyServerHosts,
      port: options.proxyServerPort,
      identity: {
        agentId: options.agentId,
        identifiers: options.agentIdentifiers,
        ...(options.serviceAccountTokenPath === "" ? {} : {
          readToken: () => readToken(options.serviceAccountTokenPath),
        }),
      },
      transport: agentLinks({
        tls: () => tls.material,
        alpnProtocols: options.alpnProto,
        direct: options.linkProtocol !== "grpc",
        counts: { received: packets.to_agent, sent: packets.from_agent },
      }),
      resolve: (host) => resolve(host, options.proxyServerPort),
      syncIntervalMs: options.syncIntervalMs,
      syncIntervalCapMs: options.syncIntervalCapMs,
      syncForever: options.syncForever,
      keepalive: keepaliveOf(options),
      countSource: options.serverCountSource === "max" ? "max" : "default",
      ...(counter === undefined ? {} : { counter }),
    },
  });
  undo.defer(() => agent.destroy());
  undo.use(watchEventLoop((seconds) => metrics.eventLoopDelay.observe(seconds)));
  undo.use(watchCalmHeap(bytesReadSoFar));
  const health = undo.use(
    await serveHttp(
      { host: options.healthServerHost, port: options.healthServerPort },
      agentHealthApp({
        readiness: () => agent.ready ? undefined : "no servers connected",
        metrics,
      }).fetch,
    ),
  );
  const admin = undo.use(
    await serveHttp(
      { host: options.adminBindAddress, port: options.adminServerPort },
      agentAdminApp({
        healthHost: options.healthServerHost,
        healthPort: health.port,
        profiling: options.enableProfiling,
      }).fetch,
    ),
  );
  agent.start();
  const resources = undo.move();
  return { agent, health, admin, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Runs proxy-agent until it has drained, or until a second signal ends it. @returns the exit code */
export async function runAgent(options: AgentOptions): Promise<number> {
  using signals = endingSignals();
  let running: RunningAgent;
  try {
    running = await startAgent(options);
  } catch (error) {
    log.error("failed to run the proxy agent: {reason}", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return 1;
  }
  await using _running = running;
  const { agent } = running;
  log.info("proxy agent {agentId} runs", { agentId: options.agentId });
  void signals.first.then((signal) => {
    log.info("{signal}: draining, {tunnels} connections are open", { signal, tunnels: agent.endpointConnections });
    agent.drain(options.drainTimeoutMs);
  });
  void signals.second.then((signal) => {
    log.info("{signal} again: ending now", { signal });
    void agent.destroy();
  });
  await agent.closed;
  return 0;
}

/** Code for the Kubernetes API is loaded only where it is used. */
async function leaseCounter(
  options: AgentOptions,
  metrics: AgentMetrics,
  undo: AsyncDisposableStack,
): Promise<ServerCounter> {
  const { countLeases } = await import("./agent_leases.ts");
  return undo.use(await countLeases(options, metrics.leaseEvents)).counter;
}

function keepaliveOf(options: AgentOptions): KeepaliveOptions {
  const timeMs = options.keepaliveTimeMs === 0 ? 0 : Math.max(options.keepaliveTimeMs, minKeepaliveMs);
  return { timeMs, timeoutMs: keepaliveTimeoutMs };
}

async function readToken(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot read the service account token ${path}: ${why}`, { cause });
  }
}

/**
 * The addresses of a host. Where the permissions name the host, its addresses may not be dialled by themselves, so that the
 * host remains the one way to it.
 */
async function resolve(host: string, port: number): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true });
  for (const { address } of found) {
    const { state } = await Deno.permissions.query({ name: "net", host: formatHostPort(address, port) });
    if (state !== "granted") return [host];
  }
  return found.map(({ address }) => address);
}
