import type { After } from "../streams/progress.ts";
import type { Channel } from "./channel.ts";

/** A channel that sends nothing for so long, in milliseconds, and for twice as long at most, is quiet. */
const quietMs = 2000;

/**
 * Has the channels of a link give credit back that they do not use: it counts in the peer's budget, and others may want it.
 * Only for a peer with the `window-return` feature.
 */
export class QuietCredit {
  readonly #after: After | undefined;
  /** Channels whose credit has grown, with what ends their watch. */
  readonly #watched = new Map<Channel, { cancel(): void }>();

  /** @param after absent: the peer takes nothing back */
  constructor(after: After | undefined) {
    this.#after = after;
  }

  /** A channel has more credit than it began with. */
  watch(channel: Channel): void {
    if (this.#after === undefined || this.#watched.has(channel)) return;
    const pending = this.#after(quietMs, () => {
      this.#watched.delete(channel);
      if (channel.giveBack()) this.watch(channel);
    }, channel.owner);
    this.#watched.set(channel, pending);
  }

  forget(channel: Channel): void {
    this.#watched.get(channel)?.cancel();
    this.#watched.delete(channel);
  }
}
