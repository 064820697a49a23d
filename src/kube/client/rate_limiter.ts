import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";

interface Waiting {
  readonly go: () => void;
}

/**
 * A token bucket, as Kubernetes' clients have it: `burst` calls at once, then `qps` a second, in the order they came.
 * Calls that are given up while they wait take no token.
 */
export class RateLimiter {
  readonly #qps: number;
  readonly #burst: number;
  readonly #clock: Clock;
  readonly #queue = new Set<Waiting>();
  #tokens: number;
  #filledAt: number;
  #next: Deadline | undefined;

  /** @param qps above 0 @param burst at least 1 */
  constructor(qps: number, burst: number, clock: Clock) {
    this.#qps = qps;
    this.#burst = burst;
    this.#clock = clock;
    this.#tokens = burst;
    this.#filledAt = clock.now();
  }

  /** Calls that wait for their turn. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether a call would have its turn at once. */
  get free(): boolean {
    return this.#queue.size === 0 && this.#tokensNow >= 1;
  }

  /** Waits for this call's turn. @throws the signal's reason */
  turn(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    this.#fill();
    if (this.#queue.size === 0 && this.#tokens >= 1) {
      this.#tokens--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiting = {
        go: () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = owned(ownerOf("kube", reject), () => {
        this.#queue.delete(waiting);
        reject(signal.reason);
        if (this.#queue.size > 0) return;
        this.#next?.cancel();
        this.#next = undefined;
      });
      signal.addEventListener("abort", onAbort, { once: true });
      this.#queue.add(waiting);
      this.#schedule();
    });
  }

  get #tokensNow(): number {
    const seconds = (this.#clock.now() - this.#filledAt) / 1000;
    return Math.min(this.#burst, this.#tokens + seconds * this.#qps);
  }

  #fill(): void {
    this.#tokens = this.#tokensNow;
    this.#filledAt = this.#clock.now();
  }

  #schedule(): void {
    if (this.#next !== undefined || this.#queue.size === 0) return;
    const waitMs = Math.max(1, (1 - this.#tokens) / this.#qps * 1000);
    this.#next = this.#clock.after(waitMs, () => {
      this.#next = undefined;
      this.#fill();
      for (const waiting of this.#queue) {
        if (this.#tokens < 1) break;
        this.#tokens--;
        this.#queue.delete(waiting);
        waiting.go();
      }
      this.#schedule();
    }, ownerOf("kube"));
  }
}
