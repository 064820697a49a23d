import type { MessageInitShape } from "@bufbuild/protobuf";
import { type PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { packetFrame } from "../conformance/raw_grpc.ts";
import type { Random } from "./random.ts";

/** Ids that tunnels may have, and those that none has. */
const oddIds: readonly [bigint, ...bigint[]] = [0n, 1n, 2n, 3n, -1n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)];

/** Texts that are no address, or an odd one. */
const oddAddresses: readonly [string, ...string[]] = [
  "",
  ":",
  "127.0.0.1:0",
  "127.0.0.1:99999",
  "[::1]:1",
  "[::ffff:127.0.0.1]:1",
  "127.1:1",
  "2130706433:1",
  "0x7f000001:1",
  "localhost:1",
  "no.such.name.invalid:1",
  "169.254.169.254:80",
  "\u0000:1",
  "a b:1",
  "[fe80::1%lo]:1",
  "a".repeat(2000) + ":1",
  "%:%",
];

type Packet = MessageInitShape<typeof PacketSchema>;
type Payload = NonNullable<Packet["payload"]>;

/**
 * A packet as a gRPC message, most often one that makes sense.
 * @param addresses destinations that answer
 */
export function packetMessage(random: Random, addresses: readonly string[]): Uint8Array {
  return packetFrame(packet(random, addresses));
}

/** A run of packets that is a tunnel's life: a dial, data, a close. */
export function tunnelMessages(random: Random, addresses: readonly string[]): Uint8Array[] {
  const dialId = BigInt(random.uint32());
  const messages = [
    packetFrame({ type: PacketType.DIAL_REQ, payload: dialRequest(random, addresses, dialId) }),
  ];
  for (let count = random.below(6); count > 0; count--) messages.push(packetMessage(random, addresses));
  return messages;
}

function dialRequest(random: Random, addresses: readonly string[], dialId: bigint): Payload {
  const [first = ""] = addresses;
  const address = random.chance(0.6) ? random.pick([first, ...addresses]) : random.pick(oddAddresses);
  const protocol = random.chance(0.9) ? "tcp" : random.pick(["tcp4", "tcp6", "udp", "unix", "", "TCP"]);
  return { case: "dialRequest", value: { protocol, address, random: dialId } };
}

function packet(random: Random, addresses: readonly string[]): Packet {
  const id = random.chance(0.7) ? BigInt(random.below(6)) : random.pick(oddIds);
  const text = "x".repeat(random.length(12));
  const type = random.pick([
    PacketType.DIAL_REQ,
    PacketType.DIAL_RSP,
    PacketType.CLOSE_REQ,
    PacketType.CLOSE_RSP,
    PacketType.DATA,
    PacketType.DATA,
    PacketType.DATA,
    PacketType.DIAL_CLS,
    PacketType.DRAIN,
    PacketType.CLOSE_WRITE,
    PacketType.WINDOW,
    random.below(200),
  ]) as PacketType;
  // A type with another's payload now and then.
  const shape = random.chance(0.92) ? type : random.below(8) as PacketType;
  switch (shape) {
    case PacketType.DIAL_REQ:
      return { type, payload: dialRequest(random, addresses, id) };
    case PacketType.DIAL_RSP:
      return {
        type,
        payload: { case: "dialResponse", value: { error: text.slice(0, 40), connectID: id, random: id } },
      };
    case PacketType.CLOSE_REQ:
      return { type, payload: { case: "closeRequest", value: { connectID: id } } };
    case PacketType.CLOSE_RSP:
      return { type, payload: { case: "closeResponse", value: { error: text.slice(0, 40), connectID: id } } };
    case PacketType.DIAL_CLS:
      return { type, payload: { case: "closeDial", value: { random: id } } };
    case PacketType.DRAIN:
      return { type, payload: { case: "drain", value: {} } };
    case PacketType.CLOSE_WRITE:
      return { type, payload: { case: "closeWrite", value: { connectID: id } } };
    case PacketType.WINDOW:
      return { type, payload: { case: "window", value: { connectID: id, bytes: random.pick(oddIds) } } };
    default:
      return {
        type,
        payload: { case: "data", value: { connectID: id, error: "", data: random.bytes(random.length(15)) } },
      };
  }
}
