import assert from "node:assert/strict";
import { until } from "../support/assert/until.ts";
import { httpGet } from "../support/processes/processes.ts";
import {
  type ClientPlace,
  type ForeignClient,
  runForeign,
  type Scenario,
  type Seen,
} from "./clients/foreign_client.ts";
import { assertNoTunnelLeft, logsOf, startTopology, type Topology } from "./topology.ts";

const transferBytes = 1024 * 1024;
const health = "/grpc.health.v1.Health/Check";

/** The codes of gRPC that are expected here. */
const codes = { ok: 0, cancelled: 1, unimplemented: 12, internal: 13, resourceExhausted: 8, unavailable: 14 } as const;

/** What is asked at the frontend, and what has to be seen. */
function expectations(topology: Topology): readonly (readonly [title: string, Scenario, Partial<Seen>])[] {
  const { echo, refused } = topology.destinations;
  const ok = { status: codes.ok, message: "" };
  const ended = { ...ok, packets: 0 };
  return [
    [
      "1 MiB each way, whose every byte comes back, an end of one direction, and a close in order",
      { scenario: "transfer", destination: echo.address, bytes: transferBytes, features: "half-close,early-data" },
      { ...ended, received: transferBytes, wrongAt: -1, closed: "" },
    ],
    [
      "an exchange, as a peer without features, and a close in order",
      { scenario: "close", destination: echo.address },
      { ...ended, answer: "hello", closed: "" },
    ],
    [
      "a destination that refuses",
      { scenario: "refused", destination: refused },
      { ...ended, error: `dial tcp ${refused}: connect: connection refused` },
    ],
    [
      "a message that is no packet",
      { scenario: "garbage", bytes: "ffffffff" },
      { status: codes.internal, message: "message of 4 bytes is not a packet", packets: 0 },
    ],
    [
      "a call that its client cancels",
      { scenario: "cancel", destination: echo.address },
      { status: codes.cancelled, answer: "hello", packets: 0 },
    ],
    ["a health check", { scenario: "unary", path: health }, { ...ok, answer: "0801" }],
    [
      "a health check that is no message",
      { scenario: "unary", path: health, requestBytes: 1 },
      { status: codes.internal, message: "request is no HealthCheckRequest" },
    ],
    [
      "a health check that is too large",
      { scenario: "unary", path: health, requestBytes: 100_000 },
      { status: codes.resourceExhausted, message: "message of 100000 bytes, expected 1024 at most" },
    ],
    [
      "a method that there is not",
      { scenario: "unary", path: "/no.such/Call" },
      { status: codes.unimplemented, message: "unknown method /no.such/Call" },
    ],
    [
      "the agents' method",
      { scenario: "unary", path: "/AgentService/Connect" },
      { status: codes.unimplemented, message: "unknown method /AgentService/Connect" },
    ],
  ];
}

/** The frontend, as a client reaches it. */
function frontendOf({ uds, port, certificates, folder }: Topology): ClientPlace {
  return uds === "" ? { target: `127.0.0.1:${port}`, certificates, folder } : { target: `unix:${uds}`, folder };
}

/** What a client sees of strangers' places: the agents' port, and TLS without what it takes. */
async function assertStrangers(client: ForeignClient, topology: Topology): Promise<void> {
  const { certificates, folder, server, port } = topology;
  const agents = { target: `127.0.0.1:${server.agentPort}`, certificates, folder };
  const dial: Scenario = { scenario: "close", destination: "127.0.0.1:1" };
  const [checked, proxied] = await runForeign(client, agents, { scenario: "unary", path: health }, dial);
  assert.equal(checked?.answer, "0801");
  assert.deepEqual(proxied, { status: codes.unimplemented, message: "unknown method /ProxyService/Proxy" });
  const { caCert, clientCert } = certificates;
  for (const [what, shown] of [["no certificate", { caCert }], ["another CA", { caCert: clientCert }]] as const) {
    const place = { target: `127.0.0.1:${port}`, certificates: shown, folder };
    const [seen] = await runForeign(client, place, dial);
    assert.equal(seen?.status, codes.unavailable, what);
  }
}

function assertSeen(seen: Seen | undefined, expected: Partial<Seen>, topology: Topology): void {
  // What a client says of its own cancellation is its own.
  const { message: _, ...compared } = seen ?? assert.fail("nothing was seen");
  assert.deepEqual("message" in expected ? seen : compared, expected, logsOf(topology));
}

async function streamsOpen({ server }: Topology): Promise<number> {
  const { body } = await httpGet(server.healthPort, "/metrics");
  const line = body.split("\n").find((each) =>
    /^konnectivity_network_proxy_server_grpc_connections\b.*Proxy/.test(each)
  );
  return Number(line?.split(" ").at(-1) ?? assert.fail(body));
}

/** A client's bytes, ends and refusals are what gRPC and the packets say. */
export async function seesWhatGrpcSays(
  t: Deno.TestContext,
  client: ForeignClient,
  kind: "grpc-uds" | "grpc-tls",
  ...serverFlags: readonly string[]
): Promise<void> {
  await using topology = await startTopology(kind, { serverFlags });
  const frontend = frontendOf(topology);
  const expected = expectations(topology);
  const seen = await runForeign(client, frontend, ...expected.map(([, scenario]) => scenario));
  for (const [at, [title, , expectation]] of expected.entries()) {
    await t.step(title, () => assertSeen(seen[at], expectation, topology));
  }
  if (kind === "grpc-tls") await t.step("other ports and certificates", () => assertStrangers(client, topology));
  await assertNoTunnelLeft(topology);
  await until("no call is left", async () => await streamsOpen(topology) === 0);
}
