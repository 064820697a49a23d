import assert from "node:assert/strict";
import { until } from "../../tests/support/assert/until.ts";
import { watchEventLoop } from "./event_loop.ts";

Deno.test("a stall of the event loop is seen, and watching ends with its handle", async () => {
  const delays: number[] = [];
  {
    using _watch = watchEventLoop((seconds) => delays.push(seconds), 10);
    await until("a sample", () => waiting(() => delays.length > 0));
    const end = performance.now() + 200;
    while (performance.now() < end);
    await until("the stall is seen", () => waiting(() => delays.some((delay) => delay > 0.1)));
  }
  const seen = delays.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(delays.length, seen);
});

/** The watch's timers do not keep the process, so something else has to while one waits for them. */
async function waiting(condition: () => boolean): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return condition();
}
