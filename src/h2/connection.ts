import { GrowthBudget } from "../streams/growth_budget.ts";
import type { LinkPace } from "../streams/receive_window.ts";
import { encodeHeaders } from "./hpack/header_encoder.ts";
import type { HeaderField } from "./hpack/header_table.ts";
import { FloodBudget } from "./flood_budget.ts";
import { FrameReceiver, type ReceiverOptions } from "./frame_receiver.ts";
import { FrameSender, type H2Output } from "./frame_sender.ts";
import {
  endFrame,
  goawayFrame,
  headerFrames,
  pingFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./frames/control_frames.ts";
import { defaultFrameSize, defaultWindow, h2Code, maxWindow, settingId } from "./frames/frame.ts";
import { h2Limits } from "./limits.ts";
import { PeerSettings } from "./peer_settings.ts";
import { Pings } from "./pings.ts";
import type { RequestHeaders } from "./request_headers.ts";
import type { H2Stream } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";

export type { H2Output } from "./frame_sender.ts";

/** What this side announces, and its clock. */
export interface H2Options extends ReceiverOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** What windows of streams may grow by where distance holds a peer back; absent: nothing. */
  readonly growth?: GrowthBudget;
}

const noGrowth = new GrowthBudget(0);

/** The round trip is measured with the first DATA, and behind each so many portions of credit: the quickest answer counts. */
const creditsOfPing = 16;

/** The owner of a connection, which serves its requests. */
export interface H2Handler {
  /** A request arrived; its body follows on the stream. */
  onRequest(stream: H2Stream, headers: RequestHeaders): void;
  /** Called once, when the connection ends, after every stream's `onClose`; with the error that broke it, if any. */
  onClose(error: H2Error | undefined): void;
}

/** A connection was ended: this side found the peer at fault, or the peer said that it found this side so. */
export class H2Error extends Error {
  override readonly name = "H2Error";
  /** Error code of RFC 9113, section 7. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The serving side of one HTTP/2 connection (RFC 9113): bytes in, bytes out, no socket and no timer. It serves long streams
 * with small headers; no push, no priorities, no CONNECT. Nothing that a peer sends makes it throw.
 */
export class H2Connection {
  readonly #handler: H2Handler;
  readonly #output: H2Output;
  readonly #streams = new StreamTable();
  readonly #peer = new PeerSettings();
  readonly #pings = new Pings();
  readonly #sender: FrameSender;
  readonly #receiver: FrameReceiver;
  readonly #budget: FloodBudget;
  /** What windows of streams grow by, and how fast the connection is. */
  readonly growth: GrowthBudget;
  readonly pace: LinkPace;
  readonly #now: () => number;
  /** The shortest time in which the peer has answered a PING, in milliseconds; 0 while unknown. */
  #roundTripMs = 0;
  /** Portions of credit since the round trip was measured. */
  #credits = 0;
  #measuring = false;
  /** This side sent GOAWAY, and the peer did. */
  #draining = false;
  #goawayReceived = false;
  #closed = false;

  /** Sends this side's SETTINGS at once: clients wait for them. */
  constructor(output: H2Output, handler: H2Handler, options: H2Options) {
    this.#output = output;
    this.#handler = handler;
    this.#budget = new FloodBudget(options.now);
    this.growth = options.growth ?? noGrowth;
    this.#now = options.now;
    this.pace = { now: options.now, roundTripMs: () => this.#roundTripMs };
    this.#sender = new FrameSender(output, this, defaultWindow, defaultFrameSize);
    const tables = { streams: this.#streams, peer: this.#peer, pings: this.#pings, sender: this.#sender };
    this.#receiver = new FrameReceiver(this, tables, options);
    this.#sender.control(settingsFrame([
      [settingId.maxConcurrentStreams, options.maxConcurrentStreams],
      [settingId.initialWindowSize, options.streamWindowBytes],
      [settingId.maxHeaderListSize, h2Limits.maxHeaderListBytes],
    ]));
    this.#receiver.returnWindow();
  }

  // ---- for the owner ----

  /**
   * Takes the next bytes that the client sent.
   * @returns the rest of them, to be pushed later, when their requests are enough for one turn
   */
  push(bytes: Uint8Array): Uint8Array | undefined {
    return this.#receiver.push(bytes);
  }

  /** Writes what is queued, as far as windows and output allow. */
  flush(): void {
    this.#sender.flush();
    if (this.#closed) this.#output.end();
  }

  /** The output takes bytes again. */
  drained(): void {
    this.#sender.drained();
  }

  /** The transport is lost. */
  lost(message: string): void {
    this.#sender.dropAnswers();
    // The transport tells this at each of its ends, and an error costs as much as many frames.
    if (this.#closed) return;
    this.#close(new H2Error(h2Code.connectError, message), message);
  }

  /**
   * Takes no new streams; those that are open run on, and the connection ends with the last. Two GOAWAY frames are sent,
   * so that requests in flight are still served (RFC 9113, section 6.8).
   */
  drain(): void {
    if (this.#closed || this.#draining) return;
    this.#draining = true;
    this.#sender.control(goawayFrame(maxWindow, h2Code.noError));
    this.#sender.control(pingFrame(false, this.#pings.drain(() => this.#refuseFromNow())));
  }

  /** Sends a PING; a connection that ends before the answer calls nothing back. */
  ping(onPong: () => void): void {
    if (this.#closed) return;
    const since = this.#now();
    this.#sender.control(pingFrame(
      false,
      this.#pings.probe(() => {
        const tookMs = this.#now() - since;
        this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
        onPong();
      }),
    ));
  }

  /** Ends the connection and all its streams, with a GOAWAY that says why. */
  close(code: number, message: string): void {
    if (this.#closed) return;
    this.#sender.control(goawayFrame(this.#streams.lastId, code, message));
    this.#close(code === h2Code.noError ? undefined : new H2Error(code, message), message);
  }

  /** A request was accepted as a packet stream: flood protection returns its cost. */
  accepted(): void {
    this.#budget.earn(h2Limits.answeredRequestCost);
  }

  /** The peer has sent its SETTINGS, so it speaks HTTP/2. */
  get begun(): boolean {
    return this.#receiver.begun;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  // ---- from its streams ----

  /** The stream has bytes to send and a window for them. */
  sendable(stream: H2Stream): void {
    this.#sender.ready(stream);
  }

  sendHeaders(stream: H2Stream, fields: Iterable<HeaderField>, endStream: boolean): void {
    this.#sender.control(this.#headers(stream, fields, endStream));
  }

  /** Ends this side of the stream, behind everything that was sent. */
  sendEnd(stream: H2Stream, trailers: readonly HeaderField[] | undefined): void {
    if (trailers !== undefined) this.#sender.control(this.#headers(stream, trailers, true));
    else this.#sender.control(endFrame(stream.id));
  }

  sendReset(stream: H2Stream, code: number): void {
    this.#sendReset(stream.id, code);
  }

  /** The peer may send so many more bytes on the stream. */
  sendCredit(stream: H2Stream, bytes: number): void {
    this.#sender.control(windowUpdateFrame(stream.id, bytes));
    if (++this.#credits >= creditsOfPing) this.#measure();
  }

  /** The window of a stream has become larger by so many bytes, or smaller where the number is negative. */
  windowChanged(bytes: number): void {
    this.#receiver.windowChanged(bytes);
  }

  /** Bytes that are buffered for paused streams were added, or removed where the number is negative. */
  pausedBytesChanged(bytes: number): void {
    this.#receiver.pausedBytesChanged(bytes);
  }

  /** The stream is closed. */
  forget(stream: H2Stream): void {
    this.#streams.delete(stream);
    this.#sender.forget(stream);
    this.#closeWhenEmpty();
  }

  // ---- from its receiving half: what the peer sends ----

  /** A request is complete and well formed; its body follows on the stream. */
  serve(stream: H2Stream, headers: RequestHeaders): void {
    this.#handler.onRequest(stream, headers);
  }

  /** The first DATA of the connection's streams. */
  bodyBegan(): void {
    // While there is little on its way behind which the answer could wait.
    if (this.#roundTripMs === 0) this.#measure();
  }

  /** The peer sent GOAWAY: it opens no more streams. */
  goawayReceived(): void {
    this.#goawayReceived = true;
    if (this.charge(1)) this.#closeWhenEmpty();
  }

  /** Charges flood protection with a frame's cost; false when the connection is closed, by this call or earlier. */
  charge(cost: number): boolean {
    if (this.#closed) return false;
    if (this.#budget.take(cost)) return true;
    this.close(h2Code.enhanceYourCalm, "too many frames and requests that bring nothing");
    return false;
  }

  /** Resets one stream, open or not, for a fault of the peer's. */
  failStream(streamId: number, code: number): void {
    if (!this.charge(1)) return;
    this.#sendReset(streamId, code);
    this.#streams.get(streamId)?.close({ kind: "reset", code, byPeer: false });
  }

  // ---- from its sending half ----

  /** A DATA frame was written. */
  dataSent(): void {
    this.#budget.earn(h2Limits.idleFramesPerDataSent);
  }

  /** The frames that end the stream, behind its last DATA; undefined when that has ended it. */
  endOf(stream: H2Stream): Uint8Array | undefined {
    return stream.trailers === undefined ? undefined : this.#headers(stream, stream.trailers, true);
  }

  // ---- own ----

  #headers(stream: H2Stream, fields: Iterable<HeaderField>, endStream: boolean): Uint8Array {
    const block = encodeHeaders(fields, this.#peer.headerTableChanged);
    this.#peer.headerTableChanged = false;
    return headerFrames(stream.id, block, endStream, this.#peer.maxFrameBytes);
  }

  /** The client has received the first GOAWAY: the streams that it has opened by now are the last. */
  #refuseFromNow(): void {
    this.#streams.refuseNew();
    this.#sender.control(goawayFrame(this.#streams.lastId, h2Code.noError));
    this.#closeWhenEmpty();
  }

  /** Measures the round trip, where windows may grow by it. */
  #measure(): void {
    if (this.growth === noGrowth || this.#measuring) return;
    this.#credits = 0;
    this.#measuring = true;
    this.ping(() => this.#measuring = false);
  }

  #sendReset(streamId: number, code: number): void {
    this.#streams.rememberReset(streamId);
    this.#sender.control(resetFrame(streamId, code));
  }

  #closeWhenEmpty(): void {
    if (this.#streams.size > 0 || this.#closed) return;
    if (this.#goawayReceived) this.#sender.dropAnswers();
    if (this.#goawayReceived || this.#streams.refusing) this.#close(undefined, "connection is over");
  }

  #close(error: H2Error | undefined, message: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiver.stop();
    for (const stream of this.#streams.all()) stream.close({ kind: "lost", message });
    this.#handler.onClose(error);
    this.#output.schedule();
  }
}
