import type { Owner } from "../faults/fault.ts";

/**
 * What a channel belongs to: a tunnel at either end of a link, which knows what the ends of a stream mean in packets. It
 * ends when one of its callbacks throws.
 */
export interface ChannelOwner extends Owner {
  /** The first bytes of the peer have come. */
  firstReceived?(): void;
  /** Bytes of the peer were taken, after they had waited here for so many milliseconds. */
  taken(waitedMs: number): void;
  /** Bytes were written behind this side's end, and dropped. @returns false when the writer should pause */
  discarded(bytes: number): boolean;
  /** Nothing more is written: this side's bytes have ended. */
  sideEnded(): void;
  /** What this side's bytes came from is gone, because of an error or in order. */
  sideGone(error: Error | undefined): void;
  /** The peer has broken a rule of flow control: what it did. */
  violated(what: string): void;
  /** The channel has stalled its whole link for as long as it may; the link reads on. The channel should end. */
  stalled(): void;
}
