import { writeUint32 } from "../../wire/bytes.ts";
import { frameFlag, frameHeaderBytes, frameType, writeFrameHeader } from "./frame.ts";

function frame(type: number, flags: number, streamId: number, payloadBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frameHeaderBytes + payloadBytes);
  writeFrameHeader(bytes, 0, payloadBytes, type, flags, streamId);
  return bytes;
}

/** A SETTINGS frame with these pairs of setting and value. */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Uint8Array<ArrayBuffer> {
  const bytes = frame(frameType.settings, 0, 0, 6 * settings.length);
  settings.forEach(([id, value], i) => {
    const at = frameHeaderBytes + 6 * i;
    bytes[at] = id >>> 8;
    bytes[at + 1] = id;
    writeUint32(bytes, at + 2, value);
  });
  return bytes;
}

export function settingsAck(): Uint8Array<ArrayBuffer> {
  return frame(frameType.settings, frameFlag.ack, 0, 0);
}

/** @param opaque eight bytes */
export function pingFrame(ack: boolean, opaque: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = frame(frameType.ping, ack ? frameFlag.ack : 0, 0, 8);
  bytes.set(opaque, frameHeaderBytes);
  return bytes;
}

/** Whether a frame answers one of the peer's: SETTINGS or PING with ACK. */
export function isAnswer(bytes: Uint8Array): boolean {
  const type = bytes[3];
  return (type === frameType.settings || type === frameType.ping) && ((bytes[4] ?? 0) & frameFlag.ack) !== 0;
}

export function resetFrame(streamId: number, code: number): Uint8Array<ArrayBuffer> {
  const bytes = frame(frameType.rstStream, 0, streamId, 4);
  writeUint32(bytes, frameHeaderBytes, code);
  return bytes;
}

/** @param streamId 0 for the connection */
export function windowUpdateFrame(streamId: number, increment: number): Uint8Array<ArrayBuffer> {
  const bytes = frame(frameType.windowUpdate, 0, streamId, 4);
  writeUint32(bytes, frameHeaderBytes, increment);
  return bytes;
}

/** @param debug text for the peer's log */
export function goawayFrame(lastStreamId: number, code: number, debug = ""): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(debug);
  const bytes = frame(frameType.goaway, 0, 0, 8 + text.length);
  writeUint32(bytes, frameHeaderBytes, lastStreamId);
  writeUint32(bytes, frameHeaderBytes + 4, code);
  bytes.set(text, frameHeaderBytes + 8);
  return bytes;
}

/** HEADERS and as many CONTINUATION frames as a block needs. */
export function headerFrames(
  streamId: number,
  block: Uint8Array,
  endStream: boolean,
  maxFrameBytes: number,
): Uint8Array {
  const count = Math.max(1, Math.ceil(block.length / maxFrameBytes));
  const bytes = new Uint8Array(count * frameHeaderBytes + block.length);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const part = block.subarray(i * maxFrameBytes, (i + 1) * maxFrameBytes);
    const flags = (i === 0 && endStream ? frameFlag.endStream : 0) | (i === count - 1 ? frameFlag.endHeaders : 0);
    writeFrameHeader(bytes, at, part.length, i === 0 ? frameType.headers : frameType.continuation, flags, streamId);
    bytes.set(part, at + frameHeaderBytes);
    at += frameHeaderBytes + part.length;
  }
  return bytes;
}

/** An empty DATA frame that ends a stream. */
export function endFrame(streamId: number): Uint8Array {
  return frame(frameType.data, frameFlag.endStream, streamId, 0);
}
