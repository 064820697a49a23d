import { Buffer } from "node:buffer";
import { frame } from "./raw_grpc.ts";

/** What a hostile peer may do on a packet stream. */
export interface HostileAct {
  /** What it is, to complete the sentence "… harms nobody else". */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** How the peer goes on: half-closes, resets, or just stays. */
  readonly then: "end" | "reset" | "stay";
  /** The framing is broken, so the call must end with an error. */
  readonly breaksCall?: boolean;
}

function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}

const emptyPacket = frame(new Uint8Array());
const longest = "ffffffffffffffff7f";
const lowest = "80808080808080808001";

/** Packet bodies that a codec must get past; each is a whole gRPC message. */
const bodies: Readonly<Record<string, string>> = {
  "a DIAL_RSP without payload": "0801",
  "a CLOSE_REQ without payload": "0802",
  "a CLOSE_RSP without payload": "0803",
  "a DATA without payload": "0804",
  "a DIAL_CLS without payload": "0805",
  "a DRAIN without payload": "0806",
  "a CLOSE_WRITE that was not negotiated": "0864",
  "a WINDOW that was not negotiated": "0865",
  "a packet of an unknown type": "084d",
  "a packet of a negative type": "08ffffffffffffffffff01",
  "a DIAL_REQ whose payload is empty": "1200",
  "a DATA whose payload is empty": "08042200",
  "a DATA with the payload of a DIAL_REQ": "0804 1205 1203 613a31",
  "a DATA for connection 2^63-1": `0804 220e 08${longest} 1a02 6869`,
  "a DATA for connection -2^63": `0804 220f 08${lowest} 1a02 6869`,
  "a DATA for connection 0": "0804 2204 1a02 6869",
  "a CLOSE_REQ for connection 2^63-1": `0802 2a0a 08${longest}`,
  "a CLOSE_REQ for connection -2^63": `0802 2a0b 08${lowest}`,
  "a DIAL_CLS for a random of -2^63": `0805 3a0b 08${lowest}`,
  "unknown fields of every wire type": "0804 2204 1a02 6869 a21f03 616263 a81f 05 ad1f 01020304 a91f 0102030405060708",
  "a field whose length goes past the packet": "0804 22ff01 08",
  "a varint that never ends": "08ffffffffffffffffffffffff",
  "a group that is never closed": "0b",
  "an end of a group that was never opened": "0c",
  "field number zero": "0000",
  "an error text that is not UTF-8": "0801 1a06 0a02fffe 1005",
};

/** Bytes that are no gRPC message at all, or one that must not be taken. */
const framings: readonly HostileAct[] = [
  { name: "a compressed message", bytes: frame(hex("0801"), 1), then: "stay", breaksCall: true },
  { name: "an unknown flag", bytes: frame(hex("0801"), 0xfe), then: "stay", breaksCall: true },
  { name: "a message of 4 GiB", bytes: frame(hex("0801"), 0, 0xffff_ffff), then: "stay", breaksCall: true },
  {
    name: "a message past the limit of 4 MiB, sent in full",
    bytes: frame(Buffer.concat([hex("0804 22 8d808003 0801 1a 86808003"), Buffer.alloc(6 * 1024 * 1024 + 6)])),
    then: "stay",
    breaksCall: true,
  },
  { name: "an end inside a message", bytes: frame(hex("0804"), 0, 100), then: "end", breaksCall: true },
  { name: "an end inside a prefix", bytes: hex("0000"), then: "end", breaksCall: true },
  { name: "a reset inside a message", bytes: frame(hex("0804"), 0, 100), then: "reset" },
  { name: "a call that ends without a packet", bytes: new Uint8Array(), then: "end" },
];

/** Everything that a hostile peer does in these tests. */
export const hostileActs: readonly HostileAct[] = [
  { name: "an empty packet", bytes: emptyPacket, then: "stay" },
  { name: "ten thousand empty packets", bytes: Buffer.concat(Array(10_000).fill(emptyPacket)), then: "stay" },
  ...Object.entries(bodies).map(([name, body]): HostileAct => ({ name, bytes: frame(hex(body)), then: "stay" })),
  ...framings,
];
