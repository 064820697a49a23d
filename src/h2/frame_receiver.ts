import { ReceiveWindow } from "../streams/receive_window.ts";
import { readUint32 } from "../wire/bytes.ts";
import type { H2Connection } from "./connection.ts";
import { ConnectionWindow } from "./connection_window.ts";
import { pingFrame, settingsAck, windowUpdateFrame } from "./frames/control_frames.ts";
import { frameFlag, frameType, h2Code, maxWindow } from "./frames/frame.ts";
import { FrameReader } from "./frames/frame_reader.ts";
import { frameFault } from "./frames/frame_rules.ts";
import type { FrameSender } from "./frame_sender.ts";
import { HeaderBlocks } from "./header_blocks.ts";
import type { DecodedHeaders } from "./hpack/header_decoder.ts";
import { h2Limits } from "./limits.ts";
import type { PeerSettings } from "./peer_settings.ts";
import type { Pings } from "./pings.ts";
import { contentLength, requestFault, RequestHeaders, trailersFault } from "./request_headers.ts";
import { H2Stream } from "./stream.ts";
import type { StreamTable } from "./stream_table.ts";

/** What this side allows the peer to send. */
export interface ReceiverOptions {
  /** Flow-control window that each stream begins with, in bytes. */
  readonly streamWindowBytes: number;
  /** Flow-control window of the whole connection, in bytes; at least 65,535, what windows of streams grow by comes on top. */
  readonly connectionWindowBytes: number;
  readonly maxConcurrentStreams: number;
}

/** What both halves of a connection work on. */
export interface ConnectionTables {
  readonly streams: StreamTable;
  readonly peer: PeerSettings;
  readonly pings: Pings;
  readonly sender: FrameSender;
}

/** Cost of a SETTINGS frame, whose window every stream must follow: one more for so many streams. */
const streamsPerSettingsCost = 64;

/**
 * The receiving half of a connection: checks each of the peer's frames against RFC 9113 and the limits, keeps the
 * connection's window, and hands the frame to its stream. DATA passes as views, before its frame is complete.
 */
export class FrameReceiver {
  readonly #connection: H2Connection;
  readonly #options: ReceiverOptions;
  readonly #reader: FrameReader;
  readonly #blocks = new HeaderBlocks();
  readonly #streams: StreamTable;
  readonly #peer: PeerSettings;
  readonly #pings: Pings;
  readonly #sender: FrameSender;
  readonly #window: ConnectionWindow;
  #settingsSeen = false;
  #bodyBegan = false;
  /** The stream that the current DATA frame belongs to; undefined when its bytes are dropped. */
  #dataStream: H2Stream | undefined;
  #dataPayload = 0;
  /** What the chunk that is read now has cost so far, in requests. */
  #workOfTurn = 0;
  #stopped = false;

  constructor(connection: H2Connection, tables: ConnectionTables, options: ReceiverOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#streams = tables.streams;
    this.#peer = tables.peer;
    this.#pings = tables.pings;
    this.#sender = tables.sender;
    this.#window = new ConnectionWindow(options.connectionWindowBytes);
    this.#reader = new FrameReader(this);
  }

  // ---- for the connection ----

  /** @returns the rest of the chunk, to be pushed later, when its requests are enough for one turn */
  push(bytes: Uint8Array): Uint8Array | undefined {
    this.#workOfTurn = 0;
    return this.#reader.push(bytes);
  }

  /** Takes no more bytes and returns no more credit. */
  stop(): void {
    this.#stopped = true;
    this.#reader.stop();
  }

  /** The peer has sent its SETTINGS, which every client of HTTP/2 sends first. */
  get begun(): boolean {
    return this.#settingsSeen;
  }

  /** Bytes that are buffered for paused streams were added or removed. */
  pausedBytesChanged(bytes: number): void {
    this.#window.pausedBytesChanged(bytes);
    if (bytes < 0) this.returnWindow();
  }

  /** Windows of streams have become larger or smaller. */
  windowChanged(bytes: number): void {
    this.#window.widen(bytes);
    this.returnWindow();
  }

  /** Sends the connection's WINDOW_UPDATE, if one is due. */
  returnWindow(): void {
    const credit = this.#stopped ? 0 : this.#window.takeCredit();
    if (credit > 0) this.#sender.control(windowUpdateFrame(0, credit));
  }

  // ---- from its reader ----

  /** A whole frame that is not DATA. The payload is read now: its memory is used again. */
  onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (!this.#settingsSeen && (type !== frameType.settings || (flags & frameFlag.ack) !== 0)) {
      return this.#connection.close(h2Code.protocolError, "first frame is not SETTINGS");
    }
    if (this.#blocks.open !== 0 && (type !== frameType.continuation || streamId !== this.#blocks.open)) {
      return this.#connection.close(h2Code.protocolError, "frame within a header block");
    }
    const fault = frameFault(type, flags, streamId, payload.length);
    if (fault !== undefined) return this.#connection.close(fault.code, fault.message);
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
        return this.#connection.goawayReceived();
      case frameType.windowUpdate:
        return this.#onWindowUpdate(streamId, payload);
      default:
        // Extensions that nobody agreed on are ignored (RFC 9113, section 5.5).
        this.#connection.charge(1);
    }
  }

  /** A DATA frame begins. @param length bytes that count for flow control, padding included */
  onDataBegin(streamId: number, length: number): void {
    this.#dataStream = undefined;
    this.#dataPayload = 0;
    if (!this.#settingsSeen) return this.#connection.close(h2Code.protocolError, "first frame is not SETTINGS");
    if (this.#blocks.open !== 0) return this.#connection.close(h2Code.protocolError, "DATA within a header block");
    if (this.#streams.isIdle(streamId)) {
      return this.#connection.close(h2Code.protocolError, `DATA on stream ${streamId}, which is idle`);
    }
    if (!this.#window.take(length)) {
      return this.#connection.close(h2Code.flowControlError, "connection window exceeded");
    }
    this.returnWindow();
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) {
      if (!this.#streams.wasReset(streamId)) this.#connection.failStream(streamId, h2Code.streamClosed);
    } else if (!stream.takeWindow(length)) {
      this.#connection.failStream(streamId, h2Code.flowControlError);
    } else {
      this.#dataStream = stream;
      if (this.#bodyBegan) return;
      this.#bodyBegan = true;
      this.#connection.bodyBegan();
    }
  }

  /** Bytes of the DATA frame's payload, never empty; the view may be kept. */
  onData(bytes: Uint8Array): void {
    this.#dataPayload += bytes.length;
    this.#dataStream?.receive(bytes);
  }

  /** The DATA frame is complete. @param paddingBytes bytes of it that were padding, the padding's length among them */
  onDataEnd(endStream: boolean, paddingBytes: number): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (this.#dataPayload === 0 && !endStream) this.#connection.charge(1);
    if (stream === undefined) return;
    if (paddingBytes > 0) stream.receivePadding(paddingBytes);
    if (endStream && !stream.closed && !stream.receiveEnd()) {
      this.#connection.failStream(stream.id, h2Code.protocolError);
    }
  }

  /** The bytes are no HTTP/2. The reader takes nothing more. */
  onFrameError(code: number, message: string): void {
    this.#connection.close(code, message);
  }

  #onHeaders(flags: number, streamId: number, payload: Uint8Array): void {
    const fault = this.#blocks.begin(flags, streamId, payload);
    if (fault !== undefined) return this.#connection.close(fault.code, fault.message);
    if ((flags & frameFlag.endHeaders) !== 0) this.#endHeaders();
  }

  #onContinuation(flags: number, payload: Uint8Array): void {
    if (this.#blocks.open === 0) return this.#connection.close(h2Code.protocolError, "CONTINUATION without HEADERS");
    const fault = this.#blocks.add(payload);
    if (fault !== undefined) return this.#connection.close(fault.code, fault.message);
    if ((flags & frameFlag.endHeaders) !== 0) this.#endHeaders();
  }

  #endHeaders(): void {
    const { bytes } = this.#blocks;
    if (!this.#connection.charge(Math.floor(bytes / h2Limits.headerBytesPerCost))) return;
    this.#workOfTurn += 1 + Math.floor(bytes / h2Limits.headerBytesPerRequest);
    if (this.#workOfTurn >= h2Limits.requestsOfTurn) this.#reader.yield();
    const { streamId, endStream, dependsOnItself, headers } = this.#blocks.take();
    if (headers === undefined) {
      return this.#connection.close(h2Code.compressionError, "header block is not well formed");
    }
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return this.#onTrailers(stream, headers, endStream);
    if (streamId <= this.#streams.lastId) {
      if (this.#streams.wasReset(streamId)) return void this.#connection.charge(1);
      return this.#connection.close(h2Code.streamClosed, `HEADERS on stream ${streamId}, which is closed`);
    }
    if (this.#streams.isRefused(streamId)) return void this.#connection.charge(1);
    this.#streams.use(streamId);
    if (this.#streams.size >= this.#options.maxConcurrentStreams) {
      return this.#connection.failStream(streamId, h2Code.refusedStream);
    }
    if (dependsOnItself) return this.#connection.failStream(streamId, h2Code.protocolError);
    this.#onRequest(streamId, headers, endStream);
  }

  #onRequest(streamId: number, { fields, tooLarge }: DecodedHeaders, endStream: boolean): void {
    const headers = new RequestHeaders(fields);
    const expected = tooLarge ? -1 : contentLength(headers);
    if (expected === undefined || (!tooLarge && requestFault(fields) !== undefined)) {
      return this.#connection.failStream(streamId, h2Code.protocolError);
    }
    const { growth, pace } = this.#connection;
    const window = new ReceiveWindow(this.#options.streamWindowBytes, growth, pace);
    const stream = new H2Stream(streamId, this.#connection, window, this.#peer.initialWindow, expected);
    this.#streams.add(stream);
    if (endStream && !stream.receiveEnd()) return this.#connection.failStream(streamId, h2Code.protocolError);
    if (!this.#connection.charge(h2Limits.answeredRequestCost)) return;
    if (!tooLarge) return this.#connection.serve(stream, headers);
    stream.respond([[":status", "431"]], true);
    stream.reset(h2Code.noError);
  }

  #onTrailers(stream: H2Stream, { fields, tooLarge }: DecodedHeaders, endStream: boolean): void {
    if (stream.remoteEnded) return this.#connection.failStream(stream.id, h2Code.streamClosed);
    const sound = endStream && !tooLarge && trailersFault(fields) === undefined && stream.receiveEnd();
    if (!sound) this.#connection.failStream(stream.id, h2Code.protocolError);
  }

  #onPriority(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 5) return this.#connection.failStream(streamId, h2Code.frameSizeError);
    if ((readUint32(payload, 0) & 0x7fffffff) === streamId) {
      return this.#connection.failStream(streamId, h2Code.protocolError);
    }
    this.#connection.charge(1);
  }

  #onReset(streamId: number, payload: Uint8Array): void {
    if (this.#streams.isIdle(streamId)) {
      return this.#connection.close(h2Code.protocolError, `RST_STREAM on stream ${streamId}, which is idle`);
    }
    if (!this.#connection.charge(1)) return;
    this.#streams.get(streamId)?.close({ kind: "reset", code: readUint32(payload, 0), byPeer: true });
  }

  #onSettings(flags: number, payload: Uint8Array): void {
    const ack = (flags & frameFlag.ack) !== 0;
    this.#settingsSeen = true;
    if (!this.#connection.charge(ack ? 1 : 1 + Math.floor(this.#streams.size / streamsPerSettingsCost)) || ack) return;
    const before = this.#peer.initialWindow;
    const fault = this.#peer.apply(payload);
    if (fault !== undefined) return this.#connection.close(fault.code, fault.message);
    this.#sender.setMaxFrameBytes(this.#peer.maxFrameBytes);
    if (!this.#streams.changeSendWindows(this.#peer.initialWindow - before)) {
      return this.#connection.close(h2Code.flowControlError, "INITIAL_WINDOW_SIZE makes a window too large");
    }
    this.#sender.control(settingsAck());
  }

  #onPing(flags: number, payload: Uint8Array): void {
    if (!this.#connection.charge(1)) return;
    if ((flags & frameFlag.ack) === 0) this.#sender.control(pingFrame(true, payload));
    else this.#pings.answered(payload);
  }

  #onWindowUpdate(streamId: number, payload: Uint8Array): void {
    const increment = readUint32(payload, 0) & 0x7fffffff;
    if (!this.#connection.charge(1)) return;
    if (streamId === 0) {
      if (increment === 0) this.#connection.close(h2Code.protocolError, "WINDOW_UPDATE by nothing");
      else if (!this.#sender.grow(increment, maxWindow)) {
        this.#connection.close(h2Code.flowControlError, "connection window too large");
      }
      return;
    }
    if (this.#streams.isIdle(streamId)) {
      return this.#connection.close(h2Code.protocolError, `WINDOW_UPDATE on stream ${streamId}, which is idle`);
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) this.#connection.failStream(streamId, h2Code.protocolError);
    else if (!stream.changeSendWindow(increment, maxWindow)) {
      this.#connection.failStream(streamId, h2Code.flowControlError);
    }
  }
}
