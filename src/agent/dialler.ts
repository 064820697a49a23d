import type { ByteStream } from "../streams/byte_stream.ts";

/** Why a destination could not be reached. `reason` is the metric's label, `message` what the client's user reads. */
export interface DialFailure {
  readonly reason: "timeout" | "not_allowed" | "too_many_names" | "unknown";
  readonly message: string;
}

/** A connection to a destination. */
export interface DestinationStream extends ByteStream {
  /** host:port that it is connected to; undefined where that is not known any more. */
  readonly remoteAddress?: string | undefined;
}

/** How a dial ended. */
export type DialResult =
  | { readonly ok: true; readonly stream: DestinationStream }
  | { readonly ok: false; readonly failure: DialFailure };

/** Bounds of one dial. */
export interface DialOptions {
  /** Milliseconds for resolving and connecting together. */
  readonly timeoutMs: number;
  /** Gives the dial up; nothing of it may be left, and its result is not looked at. */
  readonly signal: AbortSignal;
  /** Who dials: no link takes more than a share of the look-ups of names in flight. */
  readonly asker: object;
}

/** Connects to a destination. Never rejects. */
export type Dialler = (network: string, address: string, options: DialOptions) => Promise<DialResult>;
