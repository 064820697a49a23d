import type { PacketStream } from "../streams/packet_stream.ts";
import type { After } from "../streams/progress.ts";
import type { ChannelOwner } from "./channel_owner.ts";

/** When a channel stalls its link. */
export interface StallLimits {
  /** So many bytes that one channel holds stop the reading of its link. */
  readonly heldBytes: number;
  /** For so long, in milliseconds; then the channel ends and the link does not. */
  readonly graceMs: number;
}

/**
 * Stops the reading of a link without windows while one of its channels holds too much, and so for a bounded time: such a
 * peer can only be stopped as a whole.
 */
export class StallGuard {
  readonly #link: Pick<PacketStream, "pause" | "resume">;
  readonly #limits: StallLimits;
  readonly #after: After;
  /** Owners that hold the link back, with the end of their grace. */
  readonly #stalling = new Map<ChannelOwner, ReturnType<After>>();

  constructor(link: Pick<PacketStream, "pause" | "resume">, limits: StallLimits, after: After) {
    this.#link = link;
    this.#limits = limits;
    this.#after = after;
  }

  /** A channel holds the link back now. */
  get stalled(): boolean {
    return this.#stalling.size > 0;
  }

  /** A channel's owner holds so many bytes now. */
  held(owner: ChannelOwner, bytes: number): void {
    const { heldBytes, graceMs } = this.#limits;
    if (bytes < heldBytes) return this.release(owner);
    if (this.#stalling.has(owner)) return;
    if (this.#stalling.size === 0) this.#link.pause();
    const grace = this.#after(graceMs, () => {
      this.release(owner);
      owner.stalled();
    }, owner);
    this.#stalling.set(owner, grace);
  }

  /** An owner holds the link back no longer: the link reads on when nobody else does. */
  release(owner: ChannelOwner): void {
    const grace = this.#stalling.get(owner);
    if (grace === undefined) return;
    grace.cancel();
    this.#stalling.delete(owner);
    if (this.#stalling.size === 0) this.#link.resume();
  }
}
