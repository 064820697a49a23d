import assert from "node:assert/strict";
import { tellFigure } from "../support/assert/figures.ts";
import type { FloodTarget } from "../support/floods/flood_acts.ts";
import type { FloodFigures, FloodRig } from "../support/floods/flood_rig.ts";
import { httpGet } from "../support/processes/processes.ts";

/** What either program may hold while it is flooded, in MiB; without floods a server has 80. */
const memoryLimitMiB = 300;
const seconds = 2;

/** How long a flood goes on at most until a connection is closed for it. */
const longestSeconds = 32;

/** How many connections a server has closed for a reason. */
async function closed({ launched }: FloodRig, reason: string): Promise<number> {
  const { body } = await httpGet(launched.server.healthPort, "/metrics");
  const lines = [...body.matchAll(/_connections_closed_total\{([^}]*)\} (\d+)/g)];
  return lines.filter(([, labels]) => labels?.includes(`reason="${reason}"`)).reduce(
    (sum, line) => sum + Number(line[2]),
    0,
  );
}

export async function flooded(
  t: Deno.TestContext,
  rig: FloodRig,
  name: string,
  target: FloodTarget,
  title: string = name,
): Promise<void> {
  await t.step(title, async (step) => {
    const figures: FloodFigures = await rig.flood(name, seconds, target);
    const { answers, answeredSeconds, worstMs, serverMiB, agentMiB } = figures;
    await tellFigure(step, `${answers} round trips, ${worstMs} ms at worst, ${serverMiB} and ${agentMiB} MiB`);
    // How quickly it is answered depends on the machine. Where one socket keeps others from being read it is not at all.
    assert.ok(answeredSeconds >= 1, JSON.stringify(figures));
    assert.ok(serverMiB < memoryLimitMiB && agentMiB < memoryLimitMiB, JSON.stringify(figures));
  });
}

/** Floods, for longer each time, until a connection was closed for a reason and counted: a slow machine floods slowly. */
export async function floodedUntilClosed(
  rig: FloodRig,
  reason: string,
  name: string,
  target: FloodTarget,
): Promise<void> {
  for (let longer = 2 * seconds; await closed(rig, reason) === 0; longer *= 2) {
    assert.ok(longer <= longestSeconds, `no connection was closed for the reason ${reason}`);
    await rig.flood(name, longer, target);
  }
}
