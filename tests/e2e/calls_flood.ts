import assert from "node:assert/strict";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { httpGet } from "../support/processes/processes.ts";

/** What the server may hold while it is flooded, in MiB; without floods it has 80. */
const memoryLimitMiB = 300;
const seconds = 2;

async function refusals({ launched }: FloodRig): Promise<number> {
  const { body } = await httpGet(launched.server.healthPort, "/metrics");
  return [...body.matchAll(/_calls_refused_total\{[^}]*\} (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** A flood of calls, with the listener that it floods, and whether some of its calls are refused for their number. */
export type CallsFlood = readonly [name: string, listener: "frontend" | "agents", refused: boolean];

/** It takes neither memory nor a neighbour's turns. */
export async function floodsWithCalls(
  [name, listener, refused]: CallsFlood,
  ...flags: readonly string[]
): Promise<void> {
  await using rig = await FloodRig.start("grpc-uds", { serverFlags: flags });
  const { answers, serverMiB } = await rig.flood(name, seconds, await rig[listener]());
  // How quickly it is answered depends on the machine: tests/bench/floods.ts says it.
  assert.ok(answers > 1, `${answers} round trips of the neighbour`);
  assert.ok(serverMiB < memoryLimitMiB, `${serverMiB} MiB`);
  if (refused) assert.ok(await refusals(rig) > 0, "what is refused for its number is counted");
}
