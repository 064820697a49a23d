import { PacketType } from "../../gen/client/client_pb.ts";

const knownTypes = 7;

/**
 * Packets of one direction of a kind of stream, by type, and the payload bytes of its DATA packets. Plain counters that
 * the packet path increments and that metrics read when they are scraped.
 */
export class PacketCounts {
  /** Indexed by PacketType; the last entry counts every unknown type, so that a peer cannot make series. */
  readonly #packets = new Float64Array(knownTypes + 1);
  #dataBytes = 0;

  /** Counts one packet that is not DATA. */
  packet(type: number): void {
    const at = type >= 0 && type < knownTypes ? type : knownTypes;
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
    return this.#packets[type >= 0 && type < knownTypes ? type : knownTypes] ?? 0;
  }

  /** Every type that occurred, by number; unknown ones together as 7. */
  *entries(): IterableIterator<{ readonly type: number; readonly count: number }> {
    for (const [type, count] of this.#packets.entries()) if (count > 0) yield { type, count };
  }
}
