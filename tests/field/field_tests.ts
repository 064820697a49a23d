import assert from "node:assert/strict";
import { isForeign } from "../support/processes/processes.ts";
import { fakeFieldApi, type FieldKubeApi } from "./field_api.ts";
import type { FieldCase } from "./field_case.ts";
import { runFieldCase } from "./field_run.ts";
import { FieldWorld } from "./field_world.ts";

/** How many cases run at once: most of a case's time is waiting, an agent's end for the most part. */
const lanes = Math.min(6, 2 * navigator.hardwareConcurrency);
/** A lane has processes of its own, which fewer cases are not worth. */
const leastOfLane = 2;

/**
 * Runs each case as a step of a test, several of them at once, each in a lane of its own. `FIELD_CASE` names those that
 * are wanted, by a part of their distribution's name.
 */
export async function runFieldCases(
  t: Deno.TestContext,
  cases: readonly FieldCase[],
  api: FieldKubeApi,
): Promise<void> {
  const wanted = Deno.env.get("FIELD_CASE") ?? "";
  const waiting = cases.filter(({ distribution }) => distribution.includes(wanted));
  assert.ok(waiting.length > 0, `no distribution is called ${wanted}`);
  await Promise.all(Array.from({ length: Math.min(lanes, Math.ceil(waiting.length / leastOfLane)) }, async () => {
    await using world = await FieldWorld.open(api);
    for (let field = waiting.shift(); field !== undefined; field = waiting.shift()) {
      const next = field;
      await t.step({
        name: `${next.distribution}: ${titleOf(next)}`,
        fn: () => runFieldCase(next, world),
        // The runtime lets steps run side by side only without these; what is left open is counted for all of them.
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      });
    }
  }));
}

/** The same with a stand-in that reviews tokens; cases that need more of an API are left out. */
export async function runWithStandIn(t: Deno.TestContext, cases: readonly FieldCase[]): Promise<void> {
  // The original's programs ask the API in a form that the stand-in does not know.
  const without = isForeign("server") || isForeign("agent") ? ["tokens", "leases"] : ["leases"];
  await using api = await fakeFieldApi();
  await runFieldCases(t, cases.filter((field) => !without.includes(field.api)), api);
}

function titleOf({ refusal, neverReady }: FieldCase): string {
  if (refusal?.edit === undefined && refusal !== undefined) return "is refused, as by the original";
  const edited = refusal === undefined ? "as it is given" : "once it is edited";
  return neverReady === undefined
    ? `comes up ${edited}, is ready, serves a request and ends in time`
    : `comes up ${edited}, is alive and never ready, and ends in time`;
}
