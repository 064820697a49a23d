import { h2Limits } from "./limits.ts";

/** Streams that this side reset: what the peer sent on them before it knew is no fault. Only the latest are remembered. */
export class ResetStreams {
  readonly #ids = new Set<number>();

  add(streamId: number): void {
    this.#ids.add(streamId);
    if (this.#ids.size <= h2Limits.maxResetStreams) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  has(streamId: number): boolean {
    return this.#ids.has(streamId);
  }
}
