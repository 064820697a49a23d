import { type TimeLimit, timeLimit } from "../time/time_limit.ts";
import type { ByteStream, ByteStreamHandler } from "../tunnel/byte_stream.ts";
import type { DialFailure } from "./dial_outcome.ts";
import { EarlyData } from "./early_data.ts";
import { serverLimits } from "./server_limits.ts";
import type { ServerTunnel, TunnelClient } from "./tunnel.ts";

/**
 * The client of a CONNECT: first a dial that is waited for, then a byte stream. What the destination says before the
 * stream is attached is kept, so that the answer to the request always comes first; and what it says before the client
 * does is held for a moment more, since kube-apiserver refuses an answer that it reads together with other bytes.
 */
export class ConnectClient implements TunnelClient, ByteStreamHandler {
  readonly halfCloses = true;
  readonly #onGone: (client: ConnectClient) => void;
  readonly #outcome = Promise.withResolvers<DialFailure | undefined>();
  #tunnel: ServerTunnel | undefined;
  #stream: ByteStream | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #early: EarlyData | undefined;
  #destinationEnded = false;
  #clientEnded = false;
  #closed = false;
  #paused = false;
  #idle: TimeLimit | undefined;
  /** When the destination's last bytes were written, on the monotonic clock. */
  #lastWrite = 0;

  constructor(onGone: (client: ConnectClient) => void) {
    this.#onGone = onGone;
  }

  /** The client's bytes are flowing. */
  get attached(): boolean {
    return this.#stream !== undefined;
  }

  /** Reading from the client is held back. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Waits for the dial. @param signal aborts when the client hangs up @returns undefined when the tunnel is open */
  async dialed(tunnel: ServerTunnel, signal: AbortSignal): Promise<DialFailure | undefined> {
    this.#tunnel = tunnel;
    const onAbort = () => {
      tunnel.abort("closed", "client", "");
      this.#outcome.resolve({ reason: "frontend_close", message: "client hung up" });
    };
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const outcome = await this.#outcome.promise;
    signal.removeEventListener("abort", onAbort);
    if (outcome !== undefined) this.#onGone(this);
    return outcome;
  }

  /** Connects the tunnel with the client's bytes; its answer has been written. */
  attach(stream: ByteStream): void {
    this.#stream = stream;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    let more = true;
    const early = new EarlyData((payload) => more = stream.write(payload), () => {
      this.#settle();
      if (more) this.#tunnel?.clientDrained();
    });
    this.#early = early;
    for (const bytes of held) early.take(bytes);
    stream.start(this);
    if (early.holding) return;
    this.#settle();
    this.#tunnel?.clientDrained();
  }

  /** Tells the client of an end that came while bytes before it were held. */
  #settle(): void {
    if (this.#closed) this.#end();
    else if (this.#destinationEnded) this.#stream?.end();
  }

  // ---- from the tunnel ----

  tunnelDialed(): void {
    this.#outcome.resolve(undefined);
  }

  tunnelDialFailed(failure: DialFailure): void {
    this.#outcome.resolve(failure);
  }

  tunnelData(payload: Uint8Array): boolean {
    if (this.#early !== undefined) {
      if (this.#clientEnded) this.#lastWrite = performance.now();
      // What is held has not been taken: the agent gets no credit for it yet.
      return this.#early.take(payload) && !this.#early.holding;
    }
    this.#held.push(payload);
    this.#heldBytes += payload.length;
    return this.#heldBytes < serverLimits.openingHeldBytes;
  }

  tunnelWritable(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  tunnelEnded(): void {
    this.#destinationEnded = true;
    if (this.#early?.holding === false) this.#stream?.end();
  }

  tunnelClosed(): void {
    this.#closed = true;
    if (this.#early?.holding === false) this.#end();
  }

  // ---- from the client ----

  onData(bytes: Uint8Array): void {
    this.#early?.clientSpoke();
    if (this.#tunnel?.send(bytes) !== false) return;
    this.#paused = true;
    this.#stream?.pause();
  }

  onDrain(): void {
    this.#tunnel?.clientDrained();
  }

  onEnd(): void {
    this.#clientEnded = true;
    this.#tunnel?.end();
    this.#watchIdle(serverLimits.halfClosedIdleMs);
  }

  onClose(): void {
    this.#idle?.lift();
    this.#early?.discard();
    if (!this.#closed) this.#tunnel?.abort("reset", "client", "");
    this.#onGone(this);
  }

  /**
   * Ends the client's connection after the last byte that the destination sent, however the tunnel ended: what was
   * accepted is delivered. What the client still sends is read and dropped, so that its own end is seen.
   */
  #end(): void {
    this.#stream?.end();
    this.tunnelWritable();
    this.#watchIdle(serverLimits.halfClosedIdleMs);
  }

  /** One side has ended and the other may be gone altogether: without bytes for so long it is not waited for. */
  #watchIdle(waitMs: number): void {
    this.#idle?.lift();
    this.#idle = timeLimit(waitMs, () => {
      const left = serverLimits.halfClosedIdleMs - (performance.now() - this.#lastWrite);
      if (left > 0) this.#watchIdle(left);
      else this.#stream?.destroy();
    });
  }
}
