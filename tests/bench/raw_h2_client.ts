import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { frameFlag, frameHeaderBytes, frameType, settingId, writeFrameHeader } from "../../src/h2/frames/frame.ts";
import { settingsAck, settingsFrame, windowUpdateFrame } from "../../src/h2/frames/control_frames.ts";
import { clientPreface } from "../../src/h2/frames/frame.ts";
import { encodeHeaders } from "../../src/h2/hpack/header_encoder.ts";
import { readUint32 } from "../../src/wire/bytes.ts";

/** What the server sends on one stream. */
export interface RawStreamHandler {
  onData(bytes: Uint8Array): void;
  onEnd(): void;
}

const requestBlock = encodeHeaders([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/ProxyService/Proxy"],
  [":authority", "%2Ftmp%2Fproxy.sock"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-go/1.80.0"],
  ["te", "trailers"],
]);

const windowBytes = 16 * 1024 * 1024;
const frameBytes = 16 * 1024;

/** An HTTP/2 client that does as little as it can, so that a measurement shows the server. */
export class RawH2Client {
  readonly #socket: Socket;
  readonly #streams = new Map<number, RawStreamHandler>();
  #nextId = 1;
  #rest: Uint8Array = new Uint8Array(0);
  #dataLeft = 0;
  #dataStream = 0;
  #dataEnds = false;
  #unreturned = 0;
  #window = 65_535;
  #streamWindow = 65_535;
  #blocked: (() => void) | undefined;

  /** @param where a socket's path, the port of a TLS listener on this machine, or a socket to it */
  constructor(where: string | Socket) {
    this.#socket = typeof where !== "string"
      ? where
      : /^\d+$/.test(where)
      ? connectTls({ host: "127.0.0.1", port: Number(where), ALPNProtocols: ["h2"], rejectUnauthorized: false })
      : connect(where);
    this.#socket.setNoDelay(true);
    this.#socket.on("error", () => {});
    this.#socket.on("data", (bytes: Uint8Array) => this.#push(bytes));
    this.#socket.on("drain", () => this.#unblock());
    this.#socket.write(clientPreface);
    this.#socket.write(settingsFrame([[settingId.initialWindowSize, windowBytes]]));
    this.#socket.write(windowUpdateFrame(0, windowBytes));
  }

  /** Opens a stream and sends its first bytes. */
  open(first: Uint8Array, handler: RawStreamHandler): number {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, handler);
    const bytes = new Uint8Array(2 * frameHeaderBytes + requestBlock.length + first.length);
    writeFrameHeader(bytes, 0, requestBlock.length, frameType.headers, frameFlag.endHeaders, id);
    bytes.set(requestBlock, frameHeaderBytes);
    writeFrameHeader(bytes, frameHeaderBytes + requestBlock.length, first.length, frameType.data, 0, id);
    bytes.set(first, 2 * frameHeaderBytes + requestBlock.length);
    this.#window -= first.length;
    this.#streamWindow -= first.length;
    this.#socket.write(bytes);
    return id;
  }

  /** Sends one DATA frame's payload on a stream of its own connection, as windows and socket allow. */
  async send(id: number, payload: Uint8Array): Promise<void> {
    for (let at = 0; at < payload.length; at += frameBytes) {
      const part = payload.subarray(at, at + frameBytes);
      while (this.#window < part.length || this.#streamWindow < part.length || this.#socket.writableNeedDrain) {
        await new Promise<void>((resolve) => this.#blocked = resolve);
      }
      this.#window -= part.length;
      this.#streamWindow -= part.length;
      const bytes = new Uint8Array(frameHeaderBytes + part.length);
      writeFrameHeader(bytes, 0, part.length, frameType.data, 0, id);
      bytes.set(part, frameHeaderBytes);
      this.#socket.write(bytes);
    }
  }

  /** Sends a small payload at once. */
  sendNow(id: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(frameHeaderBytes + payload.length);
    writeFrameHeader(bytes, 0, payload.length, frameType.data, 0, id);
    bytes.set(payload, frameHeaderBytes);
    this.#window -= payload.length;
    this.#streamWindow -= payload.length;
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #unblock(): void {
    const blocked = this.#blocked;
    this.#blocked = undefined;
    blocked?.();
  }

  #push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
      this.#rest = new Uint8Array(0);
    }
    let at = 0;
    while (at < bytes.length) {
      if (this.#dataLeft > 0) {
        const part = bytes.subarray(at, at + this.#dataLeft);
        this.#dataLeft -= part.length;
        at += part.length;
        this.#onData(part);
        if (this.#dataLeft === 0 && this.#dataEnds) this.#onEnd(this.#dataStream);
        continue;
      }
      if (bytes.length - at < frameHeaderBytes) break;
      const length = readUint32(bytes, at) >>> 8;
      const type = readUint32(bytes, at) & 255;
      const flags = bytes[at + 4] ?? 0;
      const id = readUint32(bytes, at + 5);
      if (type === frameType.data) {
        at += frameHeaderBytes;
        this.#dataLeft = length;
        this.#dataStream = id;
        this.#dataEnds = (flags & frameFlag.endStream) !== 0;
        if (length === 0 && this.#dataEnds) this.#onEnd(id);
        continue;
      }
      if (bytes.length - at < frameHeaderBytes + length) break;
      this.#onFrame(type, flags, id, bytes.subarray(at + frameHeaderBytes, at + frameHeaderBytes + length));
      at += frameHeaderBytes + length;
    }
    if (at < bytes.length) this.#rest = bytes.slice(at);
  }

  #onData(part: Uint8Array): void {
    this.#unreturned += part.length;
    if (this.#unreturned > windowBytes / 4) {
      this.#socket.write(windowUpdateFrame(0, this.#unreturned));
      this.#socket.write(windowUpdateFrame(this.#dataStream, this.#unreturned));
      this.#unreturned = 0;
    }
    this.#streams.get(this.#dataStream)?.onData(part);
  }

  #onEnd(id: number): void {
    const handler = this.#streams.get(id);
    this.#streams.delete(id);
    handler?.onEnd();
  }

  #onFrame(type: number, flags: number, id: number, payload: Uint8Array): void {
    if (type === frameType.headers && (flags & frameFlag.endStream) !== 0) this.#onEnd(id);
    if (type === frameType.rstStream) this.#onEnd(id);
    if (type === frameType.settings && (flags & frameFlag.ack) === 0) {
      for (let at = 0; at < payload.length; at += 6) {
        if (readUint32(payload, at) >>> 16 === settingId.initialWindowSize) {
          this.#streamWindow += readUint32(payload, at + 2) - 65_535;
        }
      }
      this.#socket.write(settingsAck());
      this.#unblock();
    }
    if (type === frameType.windowUpdate) {
      if (id === 0) this.#window += readUint32(payload, 0);
      else this.#streamWindow += readUint32(payload, 0);
      this.#unblock();
    }
  }
}
