import { readUint32 } from "../wire/bytes.ts";
import { CalmBudget } from "./calm_budget.ts";
import {
  endFrame,
  goawayFrame,
  headerFrames,
  pingFrame,
  resetFrame,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from "./control_frames.ts";
import { ConnectionWindow } from "./connection_window.ts";
import { defaultFrameSize, defaultWindow, frameFlag, frameType, h2Code, maxWindow, settingId } from "./frame.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import { frameFault } from "./frame_rules.ts";
import { FrameSender, type H2Output, type SenderEvents } from "./frame_sender.ts";
import { HeaderBlocks } from "./header_blocks.ts";
import type { DecodedHeaders } from "./header_decoder.ts";
import { encodeHeaders } from "./header_encoder.ts";
import type { HeaderField } from "./header_table.ts";
import { h2Limits } from "./limits.ts";
import { PeerSettings } from "./peer_settings.ts";
import { Pings } from "./pings.ts";
import { contentLength, requestFault, RequestHeaders, trailersFault } from "./request_headers.ts";
import { H2Stream, type StreamHost } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";

export type { H2Output } from "./frame_sender.ts";

/** What this side announces, and its clock. */
export interface H2Options {
  /** Flow-control window of each stream, in bytes. */
  readonly streamWindowBytes: number;
  /** Flow-control window of the whole connection, in bytes; at least 65,535. */
  readonly connectionWindowBytes: number;
  readonly maxConcurrentStreams: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Who serves a connection. */
export interface H2Handler {
  /** A request came; its body follows on the stream. */
  onRequest(stream: H2Stream, headers: RequestHeaders): void;
  /** Called once, when the connection ends; every stream has been told. The error tells who broke it, and how. */
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

/** Cost of a SETTINGS frame, whose window every stream must follow: one more for so many streams. */
const streamsPerSettingsCost = 64;

/**
 * The serving side of one HTTP/2 connection (RFC 9113): bytes in, bytes out, no socket and no timer. It serves long streams
 * with small headers; no push, no priorities, no CONNECT. Nothing that a peer sends makes it throw.
 */
export class H2Connection implements FrameSink, StreamHost, SenderEvents {
  readonly #handler: H2Handler;
  readonly #options: H2Options;
  readonly #output: H2Output;
  readonly #reader: FrameReader;
  readonly #sender: FrameSender;
  readonly #blocks = new HeaderBlocks();
  readonly #peer = new PeerSettings();
  readonly #budget: CalmBudget;
  readonly #streams = new StreamTable();
  #settingsSeen = false;
  readonly #window: ConnectionWindow;
  readonly #pings = new Pings();
  /** The stream that the current DATA frame belongs to; undefined when its bytes are dropped. */
  #dataStream: H2Stream | undefined;
  #dataPayload = 0;
  #draining = false;
  #peerLeaves = false;
  #closed = false;

  /** Sends this side's SETTINGS at once: clients wait for them. */
  constructor(output: H2Output, handler: H2Handler, options: H2Options) {
    this.#output = output;
    this.#handler = handler;
    this.#options = options;
    this.#budget = new CalmBudget(options.now);
    this.#window = new ConnectionWindow(options.connectionWindowBytes);
    this.#reader = new FrameReader(this);
    this.#sender = new FrameSender(output, this, defaultWindow, defaultFrameSize);
    this.#sender.control(settingsFrame([
      [settingId.maxConcurrentStreams, options.maxConcurrentStreams],
      [settingId.initialWindowSize, options.streamWindowBytes],
      [settingId.maxHeaderListSize, h2Limits.maxHeaderListBytes],
    ]));
    this.#returnWindow();
  }

  // ---- for the owner ----

  /** Takes the next bytes that the client sent. */
  push(bytes: Uint8Array): void {
    if (!this.#closed) this.#reader.push(bytes);
  }

  /** Writes what waits, as far as windows and output allow. */
  flush(): void {
    this.#sender.flush();
    if (this.#closed) this.#output.end();
  }

  /** The output takes bytes again. */
  drained(): void {
    this.#sender.drained();
  }

  /** The transport is gone. */
  lost(message: string): void {
    this.#sender.dropAnswers();
    this.#close(new H2Error(h2Code.connectError, message), message);
  }

  /**
   * Takes no new streams; those that are open run on, and the connection ends with the last. The peer is told twice, so
   * that requests on their way are still served (RFC 9113, section 6.8).
   */
  drain(): void {
    if (this.#closed || this.#draining) return;
    this.#draining = true;
    this.#sender.control(goawayFrame(maxWindow, h2Code.noError));
    this.#sender.control(pingFrame(false, this.#pings.drain(() => this.#refuseFromNow())));
  }

  /** Asks the peer for a sign of life; a connection that ends before it gives none. */
  ping(onPong: () => void): void {
    if (this.#closed) return;
    this.#sender.control(pingFrame(false, this.#pings.probe(onPong)));
  }

  /** Ends the connection and all its streams, and tells the peer why. */
  close(code: number, message: string): void {
    if (this.#closed) return;
    this.#sender.control(goawayFrame(this.#streams.lastId, code, message));
    this.#close(code === h2Code.noError ? undefined : new H2Error(code, message), message);
  }

  /** The peer has shown that it speaks HTTP/2. */
  get begun(): boolean {
    return this.#settingsSeen;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  // ---- FrameSink: what the peer sends ----

  onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (!this.#settingsSeen && (type !== frameType.settings || (flags & frameFlag.ack) !== 0)) {
      return this.close(h2Code.protocolError, "first frame is not SETTINGS");
    }
    if (this.#blocks.open !== 0 && (type !== frameType.continuation || streamId !== this.#blocks.open)) {
      return this.close(h2Code.protocolError, "frame within a header block");
    }
    const fault = frameFault(type, flags, streamId, payload.length);
    if (fault !== undefined) return this.close(fault.code, fault.message);
    switch (type) {
      case frameType.headers:
        return this.#onHeaders(flags, streamId, payload);
      case frameType.continuation:
        return this.#onContinuation(flags, payload);
      case frameType.priority:
        return this.#onPriority(streamId, payload);
      case frameType.rstStream:
        return this.#onReset(streamId, payload);
      case frameType.settings:
        return this.#onSettings(flags, payload);
      case frameType.ping:
        return this.#onPing(flags, payload);
      case frameType.goaway:
        return this.#onGoaway();
      case frameType.windowUpdate:
        return this.#onWindowUpdate(streamId, payload);
      default:
        // Extensions that nobody agreed on are ignored (RFC 9113, section 5.5).
        this.#pay(1);
    }
  }

  onDataBegin(streamId: number, length: number): void {
    this.#dataStream = undefined;
    this.#dataPayload = 0;
    if (!this.#settingsSeen) return this.close(h2Code.protocolError, "first frame is not SETTINGS");
    if (this.#blocks.open !== 0) return this.close(h2Code.protocolError, "DATA within a header block");
    if (this.#streams.isIdle(streamId)) {
      return this.close(h2Code.protocolError, `DATA on stream ${streamId}, which is idle`);
    }
    if (!this.#window.take(length)) return this.close(h2Code.flowControlError, "connection window exceeded");
    this.#returnWindow();
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) {
      if (!this.#streams.wasReset(streamId)) this.#failStream(streamId, h2Code.streamClosed);
    } else if (length > stream.receiveWindow) {
      this.#failStream(streamId, h2Code.flowControlError);
    } else {
      stream.takeWindow(length);
      this.#dataStream = stream;
    }
  }

  onData(bytes: Uint8Array): void {
    this.#dataPayload += bytes.length;
    this.#dataStream?.receive(bytes);
  }

  onDataEnd(endStream: boolean, paddingBytes: number): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (this.#dataPayload === 0 && !endStream) this.#pay(1);
    if (stream === undefined) return;
    if (paddingBytes > 0) stream.receivePadding(paddingBytes);
    if (endStream && !stream.closed && !stream.receiveEnd()) this.#failStream(stream.id, h2Code.protocolError);
  }

  onFrameError(code: number, message: string): void {
    this.close(code, message);
  }

  #onHeaders(flags: number, streamId: number, payload: Uint8Array): void {
    const fault = this.#blocks.begin(flags, streamId, payload);
    if (fault !== undefined) return this.close(fault.code, fault.message);
    if ((flags & frameFlag.endHeaders) !== 0) this.#endHeaders();
  }

  #onContinuation(flags: number, payload: Uint8Array): void {
    if (this.#blocks.open === 0) return this.close(h2Code.protocolError, "CONTINUATION without HEADERS");
    const fault = this.#blocks.add(payload);
    if (fault !== undefined) return this.close(fault.code, fault.message);
    if ((flags & frameFlag.endHeaders) !== 0) this.#endHeaders();
  }

  #endHeaders(): void {
    const { streamId, endStream, dependsOnItself, headers } = this.#blocks.take();
    if (headers === undefined) return this.close(h2Code.compressionError, "header block is not well formed");
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return this.#onTrailers(stream, headers, endStream);
    if (streamId <= this.#streams.lastId) {
      if (this.#streams.wasReset(streamId)) return void this.#pay(1);
      return this.close(h2Code.streamClosed, `HEADERS on stream ${streamId}, which is closed`);
    }
    if (this.#streams.isRefused(streamId)) return void this.#pay(1);
    this.#streams.use(streamId);
    if (this.#streams.size >= this.#options.maxConcurrentStreams) {
      return this.#failStream(streamId, h2Code.refusedStream);
    }
    if (dependsOnItself) return this.#failStream(streamId, h2Code.protocolError);
    this.#onRequest(streamId, headers, endStream);
  }

  #onRequest(streamId: number, { fields, tooLarge }: DecodedHeaders, endStream: boolean): void {
    const headers = new RequestHeaders(fields);
    const expected = tooLarge ? -1 : contentLength(headers);
    if (expected === undefined || (!tooLarge && requestFault(fields) !== undefined)) {
      return this.#failStream(streamId, h2Code.protocolError);
    }
    const window = this.#options.streamWindowBytes;
    const stream = new H2Stream(streamId, this, window, this.#peer.initialWindow, expected);
    this.#streams.add(stream);
    if (endStream && !stream.receiveEnd()) return this.#failStream(streamId, h2Code.protocolError);
    if (!tooLarge) return this.#handler.onRequest(stream, headers);
    if (!this.#pay(1)) return;
    stream.respond([[":status", "431"]], true);
    stream.reset(h2Code.noError);
  }

  #onTrailers(stream: H2Stream, { fields, tooLarge }: DecodedHeaders, endStream: boolean): void {
    if (stream.remoteEnded) return this.#failStream(stream.id, h2Code.streamClosed);
    const sound = endStream && !tooLarge && trailersFault(fields) === undefined && stream.receiveEnd();
    if (!sound) this.#failStream(stream.id, h2Code.protocolError);
  }

  #onPriority(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 5) return this.#failStream(streamId, h2Code.frameSizeError);
    if ((readUint32(payload, 0) & 0x7fffffff) === streamId) return this.#failStream(streamId, h2Code.protocolError);
    this.#pay(1);
  }

  #onReset(streamId: number, payload: Uint8Array): void {
    if (this.#streams.isIdle(streamId)) {
      return this.close(h2Code.protocolError, `RST_STREAM on stream ${streamId}, which is idle`);
    }
    if (!this.#pay(1)) return;
    this.#streams.get(streamId)?.close({ kind: "reset", code: readUint32(payload, 0), byPeer: true });
  }

  #onSettings(flags: number, payload: Uint8Array): void {
    const ack = (flags & frameFlag.ack) !== 0;
    this.#settingsSeen = true;
    if (!this.#pay(ack ? 1 : 1 + Math.floor(this.#streams.size / streamsPerSettingsCost)) || ack) return;
    const before = this.#peer.initialWindow;
    const fault = this.#peer.apply(payload);
    if (fault !== undefined) return this.close(fault.code, fault.message);
    this.#sender.setMaxFrameBytes(this.#peer.maxFrameBytes);
    if (!this.#streams.changeSendWindows(this.#peer.initialWindow - before)) {
      return this.close(h2Code.flowControlError, "INITIAL_WINDOW_SIZE makes a window too large");
    }
    this.#sender.control(settingsAck());
  }

  #onPing(flags: number, payload: Uint8Array): void {
    if (!this.#pay(1)) return;
    if ((flags & frameFlag.ack) === 0) this.#sender.control(pingFrame(true, payload));
    else this.#pings.answered(payload);
  }

  #onGoaway(): void {
    this.#peerLeaves = true;
    if (this.#pay(1)) this.#closeWhenEmpty();
  }

  #onWindowUpdate(streamId: number, payload: Uint8Array): void {
    const increment = readUint32(payload, 0) & 0x7fffffff;
    if (!this.#pay(1)) return;
    if (streamId === 0) {
      if (increment === 0) this.close(h2Code.protocolError, "WINDOW_UPDATE by nothing");
      else if (!this.#sender.grow(increment, maxWindow)) {
        this.close(h2Code.flowControlError, "connection window too large");
      }
      return;
    }
    if (this.#streams.isIdle(streamId)) {
      return this.close(h2Code.protocolError, `WINDOW_UPDATE on stream ${streamId}, which is idle`);
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) this.#failStream(streamId, h2Code.protocolError);
    else if (!stream.changeSendWindow(increment, maxWindow)) this.#failStream(streamId, h2Code.flowControlError);
  }

  // ---- StreamHost: what the streams send ----

  sendable(stream: H2Stream): void {
    this.#sender.ready(stream);
  }

  sendHeaders(stream: H2Stream, fields: Iterable<HeaderField>, endStream: boolean): void {
    this.#sender.control(this.#headers(stream, fields, endStream));
  }

  sendEnd(stream: H2Stream, trailers: readonly HeaderField[] | undefined): void {
    if (trailers !== undefined) this.#sender.control(this.#headers(stream, trailers, true));
    else this.#sender.control(endFrame(stream.id));
  }

  sendReset(stream: H2Stream, code: number): void {
    this.#sendReset(stream.id, code);
  }

  sendCredit(stream: H2Stream, bytes: number): void {
    this.#sender.control(windowUpdateFrame(stream.id, bytes));
  }

  heldChanged(bytes: number): void {
    this.#window.heldChanged(bytes);
    if (bytes < 0) this.#returnWindow();
  }

  forget(stream: H2Stream): void {
    this.#streams.delete(stream);
    this.#sender.forget(stream);
    this.#closeWhenEmpty();
  }

  // ---- SenderEvents ----

  dataSent(): void {
    this.#budget.earn();
  }

  endOf(stream: H2Stream): Uint8Array | undefined {
    return stream.trailers === undefined ? undefined : this.#headers(stream, stream.trailers, true);
  }

  // ---- own ----

  #headers(stream: H2Stream, fields: Iterable<HeaderField>, endStream: boolean): Uint8Array {
    const block = encodeHeaders(fields, this.#peer.headerTableChanged);
    this.#peer.headerTableChanged = false;
    return headerFrames(stream.id, block, endStream, this.#peer.maxFrameBytes);
  }

  #returnWindow(): void {
    const credit = this.#closed ? 0 : this.#window.takeCredit();
    if (credit > 0) this.#sender.control(windowUpdateFrame(0, credit));
  }

  /** The client has heard that this side leaves: the streams that it has opened by now are the last. */
  #refuseFromNow(): void {
    this.#streams.refuseNew();
    this.#sender.control(goawayFrame(this.#streams.lastId, h2Code.noError));
    this.#closeWhenEmpty();
  }

  /** Takes the cost of a frame that brought nothing; false when the peer sent too many of them. */
  #pay(cost: number): boolean {
    if (this.#closed) return false;
    if (this.#budget.take(cost)) return true;
    this.close(h2Code.enhanceYourCalm, "too many frames that ask for nothing");
    return false;
  }

  /** Ends one stream for a fault of the peer's. */
  #failStream(streamId: number, code: number): void {
    if (!this.#pay(1)) return;
    this.#sendReset(streamId, code);
    this.#streams.get(streamId)?.close({ kind: "reset", code, byPeer: false });
  }

  #sendReset(streamId: number, code: number): void {
    this.#streams.markReset(streamId);
    this.#sender.control(resetFrame(streamId, code));
  }

  #closeWhenEmpty(): void {
    if (this.#streams.size > 0 || this.#closed) return;
    if (this.#peerLeaves) this.#sender.dropAnswers();
    if (this.#peerLeaves || this.#streams.refusing) this.#close(undefined, "connection is over");
  }

  #close(error: H2Error | undefined, message: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.stop();
    for (const stream of this.#streams.all()) stream.close({ kind: "lost", message });
    this.#handler.onClose(error);
    this.#output.schedule();
  }
}
