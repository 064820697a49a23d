import assert from "node:assert/strict";
import type { ConnectId } from "../../../src/wire/connect_id.ts";
import type { Packet } from "../../../src/wire/packet.ts";
import type { PacketSink } from "../../../src/wire/packet_reader.ts";
import { concat } from "./h2_peer.ts";

/** Keeps what it is handed: DATA by connection as [id, bytes], other packets as they are. */
export class PacketRecorder implements PacketSink {
  readonly seen: (Packet | [ConnectId, Uint8Array])[] = [];

  onData(id: ConnectId, payload: Uint8Array): void {
    assert.ok(payload.length > 0, "empty DATA is never delivered");
    this.seen.push([id, payload]);
  }

  onPacket(packet: Packet): void {
    this.seen.push(packet);
  }

  /** All payload bytes, joined. */
  get data(): Uint8Array {
    return concat(...this.seen.filter((one) => Array.isArray(one)).map(([, payload]) => payload));
  }

  get packets(): Packet[] {
    return this.seen.flatMap((one) => Array.isArray(one) ? [] : [one]);
  }

  get ids(): ConnectId[] {
    return [...new Set(this.seen.filter((one) => Array.isArray(one)).map(([id]) => id))];
  }
}

/** A message under its gRPC prefix. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix = new Uint8Array(5);
  new DataView(prefix.buffer).setUint32(1, message.length);
  return concat(prefix, message);
}

/** A message, given in hexadecimal, under its gRPC prefix. */
export function frameHex(message: string): Uint8Array<ArrayBuffer> {
  return frame(Uint8Array.fromHex(message));
}
