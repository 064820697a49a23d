import type { ByteStream } from "../tunnel/byte_stream.ts";

/** Why a destination could not be reached. `reason` is the metric's label, `message` what the client's user reads. */
export interface DialFailure {
  readonly reason: "timeout" | "unknown";
  readonly message: string;
}

/** How a dial ended. */
export type DialResult =
  | { readonly ok: true; readonly stream: ByteStream }
  | { readonly ok: false; readonly failure: DialFailure };

/** Bounds of one dial. */
export interface DialOptions {
  /** Milliseconds for resolving and connecting together. */
  readonly timeoutMs: number;
  /** Gives the dial up; nothing of it may be left, and its result is not looked at. */
  readonly signal: AbortSignal;
}

/** Connects to a destination. Never rejects. */
export type Dialler = (network: string, address: string, options: DialOptions) => Promise<DialResult>;
