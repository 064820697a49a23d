import { PacketType } from "../../gen/client/client_pb.ts";

/** Known types in the order of their counters; one more counter is for all others. */
const knownTypes: readonly number[] = [
  PacketType.DIAL_REQ,
  PacketType.DIAL_RSP,
  PacketType.CLOSE_REQ,
  PacketType.CLOSE_RSP,
  PacketType.DATA,
  PacketType.DIAL_CLS,
  PacketType.DRAIN,
  PacketType.CLOSE_WRITE,
  PacketType.WINDOW,
  PacketType.PING,
  PacketType.PONG,
];

/** The number under which packets of unknown types are counted together. */
export const unknownPacketType = -1;

function counterOf(type: number): number {
  if (type >= 0 && type <= PacketType.DRAIN) return type;
  const at = knownTypes.indexOf(type);
  return at < 0 ? knownTypes.length : at;
}

/**
 * Packets of one direction of a kind of stream, by type, and the payload bytes of its DATA packets. Plain counters that
 * the packet path increments and that metrics read when they are scraped.
 */
export class PacketCounts {
  /** In the order of knownTypes; the last entry counts every unknown type, so that a peer cannot make series. */
  readonly #packets = new Float64Array(knownTypes.length + 1);
  #dataBytes = 0;

  /** Counts one packet that is not DATA. */
  packet(type: number): void {
    const at = counterOf(type);
    this.#packets[at] = (this.#packets[at] ?? 0) + 1;
  }

  /** Counts one DATA packet. */
  data(): void {
    this.#packets[PacketType.DATA] = (this.#packets[PacketType.DATA] ?? 0) + 1;
  }

  /** Counts payload bytes; a packet that came in pieces is counted by {@link data} once. */
  bytes(count: number): void {
    this.#dataBytes += count;
  }

  /** Payload bytes so far. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Packets of a type so far; any number that is no known type gives the count of all unknown ones. */
  of(type: number): number {
    return this.#packets[counterOf(type)] ?? 0;
  }

  /** Every type that occurred, by number; unknown ones together as {@link unknownPacketType}. */
  *entries(): IterableIterator<{ readonly type: number; readonly count: number }> {
    for (const [at, count] of this.#packets.entries()) {
      if (count > 0) yield { type: knownTypes[at] ?? unknownPacketType, count };
    }
  }
}

/** Where a stream counts its packets. */
export interface StreamCounts {
  readonly received: PacketCounts;
  readonly sent: PacketCounts;
}
