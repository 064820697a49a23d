import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { PacketSchema, PacketType } from "../../../../gen/client/client_pb.ts";
import { type ConnectId, connectId } from "../../../../src/wire/connect_id.ts";
import type { Packet } from "../../../../src/wire/packet.ts";
import { PacketCounts } from "../../../../src/wire/packet_counts.ts";
import { PacketError } from "../../../../src/wire/packet_error.ts";
import { PacketReader } from "../../../../src/wire/packet_reader.ts";
import { packetMessage, tunnelMessages } from "../../packet_messages.ts";
import { mutate } from "../../mutate.ts";
import { Random } from "../../random.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf, joined } from "./chunks.ts";

const addresses = ["10.0.0.1:443", "web.default.svc:80", "[fd00::1]:8080"];
/** The longest message that the original takes. */
const maxMessageBytes = 4 * 1024 * 1024;

/** What a stream said, in the order of the wire, with neighbouring DATA of one connection joined. */
class Journal {
  readonly events: string[] = [];
  #id: ConnectId = 0;
  #data = "";

  data(id: ConnectId, payload: Uint8Array): void {
    if (id !== this.#id) this.flush();
    this.#id = id;
    this.#data += payload.toHex();
  }

  packet({ type, payload }: Packet): void {
    const fields = Object.entries(payload.value ?? {}).toSorted(([a], [b]) => a < b ? -1 : 1);
    // Fields that nobody knows are not handed on.
    const known = fields.filter(([name]) => !name.startsWith("$"));
    this.other(`${type} ${payload.case} ${known.map(([name, value]) => `${name}=${value}`).join(" ")}`);
  }

  other(event: string): void {
    this.flush();
    this.events.push(event);
  }

  flush(): void {
    if (this.#data !== "") this.events.push(`${this.#id} ${this.#data}`);
    this.#data = "";
  }
}

interface Reading {
  readonly events: readonly string[];
  readonly end: string;
}

function read(chunks: readonly Uint8Array[], frames: boolean): Reading {
  const journal = new Journal();
  const reader = new PacketReader(
    {
      onData: (id, payload) => {
        if (payload.length === 0) throw new Error("empty DATA was handed on");
        journal.data(id, payload);
      },
      onPacket: (packet) => journal.packet(packet),
    },
    new PacketCounts(),
    frames ? (kind, body) => journal.other(`frame ${kind} ${body.toHex()}`) : undefined,
  );
  let end = "whole";
  try {
    for (const chunk of chunks) reader.push(chunk);
    reader.end();
  } catch (error) {
    if (!(error instanceof PacketError)) throw error;
    end = error.code;
  }
  journal.flush();
  return { events: journal.events, end };
}

/** The same by the plainest means: whole messages, one after the other, through the generated codec. */
function readPlainly(input: Uint8Array): Reading {
  const journal = new Journal();
  const end = readMessages(input, journal);
  journal.flush();
  return { events: journal.events, end };
}

function readMessages(input: Uint8Array, journal: Journal): string {
  for (let at = 0; at < input.length;) {
    if (input.length - at < 5) return "truncated";
    if (input[at] !== 0) return "compressed";
    const length = new DataView(input.buffer, input.byteOffset).getUint32(at + 1);
    if (length > maxMessageBytes) return "too-large";
    if (input.length - at < 5 + length) return "truncated";
    let packet: Packet;
    try {
      packet = fromBinary(PacketSchema, input.subarray(at + 5, at + 5 + length));
    } catch {
      return "malformed";
    }
    at += 5 + length;
    if (packet.type !== PacketType.DATA || packet.payload.case !== "data") journal.packet(packet);
    else if (packet.payload.value.data.length > 0) {
      journal.data(connectId(packet.payload.value.connectID), packet.payload.value.data);
    }
  }
  return "whole";
}

function same(one: Reading, other: Reading, events = Infinity): void {
  const text = ({ events: all, end }: Reading) => `${all.slice(0, events).join("\n")}\n${end}`;
  if (text(one) !== text(other)) assert.equal(text(one), text(other));
}

function seeds(): Uint8Array[] {
  const random = new Random(1);
  const one = Array.from({ length: 60 }, () => packetMessage(random, addresses)).filter(({ length }) => length < 300);
  return [...one, joined(one.slice(0, 8)), joined(tunnelMessages(random, addresses).map((m) => m.subarray(0, 400)))];
}

/** Packets of a link or a client, against the generated codec. */
export const packets: FuzzTarget = {
  name: "packets",
  modules: ["src/wire/"],
  seeds: seeds(),
  restructure: (random, input) => joined(mutate(random, [...cut(input), packetMessage(random, addresses)], 0.3)),
  run(input) {
    const whole = read([input], false);
    const plain = readPlainly(input);
    // Of a DATA packet that is cut off the reader has handed on what was there.
    same(whole, plain, whole.end === "truncated" ? Math.max(0, plain.events.length - 1) : Infinity);
    same(read(chunksOf(input), true), whole.end === "compressed" ? read([input], true) : whole);
  },
};

/** The messages of an input, as far as it has the form of messages. */
export function cut(input: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < input.length;) {
    const length = at + 5 <= input.length ? new DataView(input.buffer, input.byteOffset).getUint32(at + 1) : Infinity;
    const end = Math.min(input.length, at + 5 + length);
    messages.push(input.subarray(at, end));
    at = end;
  }
  return messages;
}
