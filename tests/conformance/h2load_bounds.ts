import { until } from "../support/assert/until.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { openFiles } from "./h2load.ts";
import assert from "node:assert/strict";
import { h2Limits } from "../../src/h2/limits.ts";
import { edgeLimits } from "../../src/net/edge/edge_limits.ts";
import { calls, floodsOf, h2load, type JudgedPort } from "./h2load.ts";

/** What the server may hold beside such a load, in MiB; without any it has 80. */
const memoryLimitMiB = 300;
const connections = 10;
export const streams = 10;
const ports: readonly JudgedPort[] = ["clients", "agents"];

/** Requests that one connection may make at once, by the HTTP/2 under it. */
export const implementations = [
  ["own", h2Limits.idleFrameBurst / h2Limits.answeredRequestCost],
  ["runtime", h2Limits.idleFrameBurst / edgeLimits.runtimeRequestCost],
] as const;

/** Calls of each kind within the bounds. */
async function within(rig: FloodRig, port: JudgedPort, burst: number): Promise<void> {
  const requests = 0.9 * burst * connections;
  for (const [name, call] of Object.entries(calls)) {
    const { done, errored, byStatus, bodyBytes, neighbour } = await h2load(rig, port, call, {
      requests,
      connections,
      streams,
    });
    assert.deepEqual([done, errored, byStatus[call.status]], [requests, 0, requests], name);
    // A call that is refused for the number of its kind has no message.
    assert.equal(bodyBytes, call.bodyBytes * requests, name);
    assert.ok(neighbour.serverMiB < memoryLimitMiB, `${name}: ${neighbour.serverMiB} MiB`);
    assert.ok(neighbour.answers > 0, name);
  }
  assert.equal(await floodsOf(rig, port), 0);
}

/** More calls of one connection than it may make, and then one of another. */
async function beyond(rig: FloodRig, port: JudgedPort, burst: number): Promise<void> {
  const load = { requests: 10 * burst, connections: 1, streams };
  const { errored, bodyBytes, neighbour } = await h2load(rig, port, calls.health, load);
  assert.ok(errored > 0, "all were answered");
  assert.ok(bodyBytes >= calls.health.bodyBytes * burst, `${bodyBytes} bytes: fewer calls than are allowed`);
  assert.ok(neighbour.serverMiB < memoryLimitMiB, `${neighbour.serverMiB} MiB`);
  assert.equal(await floodsOf(rig, port), 1);
  assert.match(
    rig.launched.server.program.log,
    new RegExp(`${port.slice(0, -1)} connection closed: too many (frames and )?requests that`),
  );
  const again = await h2load(rig, port, calls.health, { requests: 1, connections: 1, streams: 1 });
  assert.equal(again.bodyBytes, calls.health.bodyBytes, "a new connection is served");
}

/** Calls within the bounds are all answered, a connection beyond them is closed, and neither harms a neighbour. */
export async function keepsBounds(t: Deno.TestContext, http2: "own" | "runtime"): Promise<void> {
  const [, burst] = implementations.find(([name]) => name === http2) ?? assert.fail(http2);
  await using rig = await FloodRig.start("grpc-uds", { serverFlags: [`--http2=${http2}`] });
  const { pid } = rig.launched.server.program;
  const before = await openFiles(pid);
  for (const port of ports) {
    await t.step(`${port}, within the bounds`, () => within(rig, port, burst));
    await t.step(`${port}, beyond them`, () => beyond(rig, port, burst));
  }
  await until("its connections are gone", async () => await openFiles(pid) <= before);
}
