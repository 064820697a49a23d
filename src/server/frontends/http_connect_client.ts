import type { Owner } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { Channel } from "../../mux/channel.ts";
import type { ByteStream, ByteStreamHandler } from "../../streams/byte_stream.ts";
import { pipe } from "../../streams/pipe.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { DialFailure } from "../dial_outcome.ts";
import { EarlyData } from "./early_data.ts";
import { serverLimits } from "../server_limits.ts";
import type { ServerTunnel } from "../tunnel.ts";
import type { TunnelClient } from "../tunnel_client.ts";

/** A client's idle time is checked after this time, in milliseconds, or a multiple of it. */
const idleStepMs = 10_000;

/**
 * The client of a CONNECT: first a dial that is waited for, then a byte stream around the client's socket. The stream is piped
 * once the request was answered, so that the answer always comes first; and what the destination says before the client
 * does is held for a moment more, since kube-apiserver refuses an answer that it reads together with other bytes.
 */
export class HttpConnectClient implements TunnelClient, ByteStream, ByteStreamHandler, Owner {
  readonly place = "request";
  readonly peer: PeerIdentity;
  readonly frontend = "http-connect";
  readonly halfCloses = true;
  readonly traceparent: string | undefined;
  readonly #clock: Clock;
  readonly #onGone: (client: HttpConnectClient) => void;
  readonly #outcome = Promise.withResolvers<DialFailure | undefined>();
  #channel: Channel | undefined;
  #stream: ByteStream | undefined;
  /** Takes what the client sends. */
  #handler: ByteStreamHandler | undefined;
  #early: EarlyData | undefined;
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
    this.#early = new EarlyData((bytes) => stream.write(bytes), () => this.#handler?.onDrain(), this, this.#clock);
    if (this.#channel !== undefined) pipe(this, this.#channel);
  }

  /** {@link Owner}: the client's connection ends, before or after its answer. */
  faulted(): void {
    this.#outcome.resolve({ reason: "backend_close", message: "internal error of the proxy server" });
    this.#stream?.destroy();
  }

  // ---- from the tunnel ----

  tunnelDialed(channel: Channel): void {
    this.#channel = channel;
    this.#outcome.resolve(undefined);
  }

  tunnelDialFailed(failure: DialFailure): void {
    this.#outcome.resolve(failure);
  }

  // ---- ByteStream: what the destination sends ----

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    this.#stream?.start(this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#clientEnded) this.#lastWrite = this.#clock.now();
    return this.#early?.take(bytes) ?? true;
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  end(): void {
    this.#early?.after(() => this.#stream?.end());
  }

  /** Ends the client's connection after the last byte that the destination sent, however the tunnel ended. */
  destroy(): void {
    this.#early?.after(() => this.#end());
  }

  // ---- from the client ----

  onData(bytes: Uint8Array): void {
    this.#early?.clientSpoke();
    this.#handler?.onData(bytes);
  }

  onDrain(): void {
    if (this.#early?.holding !== true) this.#handler?.onDrain();
  }

  onEnd(): void {
    this.#clientEnded = true;
    this.#handler?.onEnd();
    this.#watchIdle(serverLimits.halfClosedIdleMs);
  }

  onClose(error: Error | undefined): void {
    this.#idle?.cancel();
    this.#early?.discard();
    this.#handler?.onClose(error);
    this.#onGone(this);
  }

  // ---- own ----

  /** What was accepted is delivered. What the client still sends is read and dropped, so that its own end is seen. */
  #end(): void {
    this.#stream?.end();
    this.resume();
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
