import { mock } from "node:test";
import { forgetLimits } from "../../src/time/time_limit.ts";

/** Longest step in which time passes: what happens between two steps happens at the end of the first. */
const stepMs = 1000;

/** Time that stands still until a test lets it pass: the monotonic clock, timers, and the limits that share them. */
export class MockedTime implements Disposable {
  // Whole, so that steps add up exactly.
  #now = Math.ceil(performance.now());

  constructor() {
    mock.timers.enable({ apis: ["setTimeout"] });
    mock.method(performance, "now", () => this.#now);
    // Those that began before wait for the runtime's own timers.
    forgetLimits();
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= stepMs) this.leap(Math.min(left, stepMs));
  }

  /** One step, however long. */
  leap(ms: number): void {
    this.#now += ms;
    mock.timers.tick(ms);
  }

  [Symbol.dispose](): void {
    mock.timers.reset();
    mock.restoreAll();
    forgetLimits();
  }
}
