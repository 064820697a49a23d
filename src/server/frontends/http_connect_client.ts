import type { Owner } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { ByteStream, ByteStreamHandler } from "../../streams/byte_stream.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { DialFailure } from "../dial_outcome.ts";
import { EarlyData } from "./early_data.ts";
import { serverLimits } from "../server_limits.ts";
import type { ServerTunnel } from "../tunnel.ts";
import type { TunnelClient } from "../tunnel_sides.ts";

/** A client's idle time is checked after this time, in milliseconds, or a multiple of it. */
const idleStepMs = 10_000;

/**
 * Where the destination's side of a CONNECT stands: `open`; `ended`, it sends no more and may still be sent to; `closed`, the
 * tunnel is over.
 */
type DestinationState = "open" | "ended" | "closed";

/**
 * The client of a CONNECT: first a dial that is waited for, then a byte stream. What the destination says before the
 * stream is attached is kept, so that the answer to the request always comes first; and what it says before the client
 * does is held for a moment more, since kube-apiserver refuses an answer that it reads together with other bytes.
 */
export class HttpConnectClient implements TunnelClient, ByteStreamHandler, Owner {
  readonly place = "request";
  readonly peer: PeerIdentity;
  readonly frontend = "http-connect";
  readonly halfCloses = true;
  readonly traceparent: string | undefined;
  readonly #clock: Clock;
  readonly #onGone: (client: HttpConnectClient) => void;
  readonly #outcome = Promise.withResolvers<DialFailure | undefined>();
  #tunnel: ServerTunnel | undefined;
  #stream: ByteStream | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #early: EarlyData | undefined;
  #destination: DestinationState = "open";
  #clientEnded = false;
  #paused = false;
  #idle: Deadline | undefined;
  /** When the destination's last bytes were written, on the monotonic clock. */
  #lastWrite = 0;

  /** @param traceparent see {@link TunnelClient} */
  constructor(peer: PeerIdentity, clock: Clock, onGone: (client: HttpConnectClient) => void, traceparent?: string) {
    this.peer = peer;
    this.traceparent = traceparent;
    this.#clock = clock;
    this.#onGone = onGone;
  }

  /** The client's bytes are flowing. */
  get attached(): boolean {
    return this.#stream !== undefined;
  }

  /** Reading from the client is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Waits for the dial. @param signal aborts when the client hangs up @returns undefined when the tunnel is open */
  async dialed(tunnel: ServerTunnel, signal: AbortSignal): Promise<DialFailure | undefined> {
    this.#tunnel = tunnel;
    const onAbort = owned(this, () => {
      tunnel.abort("closed", "client", "");
      this.#outcome.resolve({ reason: "frontend_close", message: "client hung up" });
    });
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const outcome = await this.#outcome.promise;
    signal.removeEventListener("abort", onAbort);
    if (outcome !== undefined) this.#onGone(this);
    return outcome;
  }

  /** Connects the tunnel with the client's bytes; its answer has been written. */
  attach(stream: ByteStream): void {
    // First, so that whatever throws behind it can end the connection.
    this.#stream = stream;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    let more = true;
    const early = new EarlyData(
      (payload) => more = stream.write(payload),
      () => {
        this.#settle();
        if (more) this.#tunnel?.clientDrained();
      },
      this,
      this.#clock,
    );
    this.#early = early;
    for (const bytes of held) early.take(bytes);
    stream.start(this);
    if (early.holding) return;
    this.#settle();
    this.#tunnel?.clientDrained();
  }

  /** {@link Owner}: the client's connection ends, before or after its answer. */
  faulted(): void {
    this.#outcome.resolve({ reason: "backend_close", message: "internal error of the proxy server" });
    this.#stream?.destroy();
  }

  /** Tells the client of an end that came while bytes before it were held. */
  #settle(): void {
    if (this.#destination === "closed") this.#end();
    else if (this.#destination === "ended") this.#stream?.end();
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
      if (this.#clientEnded) this.#lastWrite = this.#clock.now();
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
    if (this.#destination === "closed") return;
    this.#destination = "ended";
    if (this.#early?.holding === false) this.#stream?.end();
  }

  tunnelClosed(): void {
    this.#destination = "closed";
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
    this.#idle?.cancel();
    this.#early?.discard();
    if (this.#destination !== "closed") this.#tunnel?.abort("reset", "client", "");
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
    this.#idle?.cancel();
    this.#idle = this.#clock.after(waitMs, () => {
      const remainingMs = serverLimits.halfClosedIdleMs - (this.#clock.now() - this.#lastWrite);
      // A whole number: deadlines of one length share a timer.
      if (remainingMs > 0) this.#watchIdle(Math.ceil(remainingMs / idleStepMs) * idleStepMs);
      else this.#stream?.destroy();
    }, this);
  }
}
