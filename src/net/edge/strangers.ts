/** A connection whose peer has proved nothing yet. */
export interface Stranger {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Closes it, and gives its descriptor back at once. */
  close(): void;
}

/** The connections of one address, or of one /64 of IPv6, the oldest first. */
interface Group {
  /** Their TLS handshake is not over. */
  readonly handshaking: Map<string, Stranger>;
  /** It is, and what else they have to show is waited for: a call, the review of a token. */
  readonly waiting: Map<string, Stranger>;
}

/**
 * Connections whose peers have proved nothing yet, bounded by shares: where one too many has come, the address that has
 * most of them loses one. So whoever opens many stands only in its own way, and those that come from elsewhere are admitted.
 *
 * Of that address, the one goes that has been in its handshake for longest: an honest peer needs a round trip for it, so
 * that it gets through beside connections of its address that say nothing. Where all have shaken hands, the newest goes:
 * those that wait for the review of their token are not pushed out by those behind them.
 */
export class Strangers {
  readonly #groups = new Map<string, Group>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * Adds a connection that was just accepted.
   * @param isFull whether there are as many as there may be, in all threads together
   * @returns one that has to be closed for it, perhaps the same; undefined when there is room
   */
  add(stranger: Stranger, isFull: boolean): Stranger | undefined {
    const { remoteAddress, remotePort } = stranger;
    const key = groupOf(remoteAddress);
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, group = { handshaking: new Map(), waiting: new Map() });
    group.handshaking.set(connectionKey(remoteAddress, remotePort), stranger);
    this.#size++;
    return isFull ? this.#surplus() : undefined;
  }

  /** A connection's TLS handshake is over; it has still to show something else. */
  secured(remoteAddress: string, remotePort: number): void {
    const group = this.#groups.get(groupOf(remoteAddress));
    const key = connectionKey(remoteAddress, remotePort);
    const stranger = group?.handshaking.get(key);
    if (group === undefined || stranger === undefined) return;
    group.handshaking.delete(key);
    group.waiting.set(key, stranger);
  }

  /** A connection is none of them any more: it proved who it is, or was closed. @returns whether it was one */
  remove(remoteAddress: string, remotePort: number): boolean {
    const groupKey = groupOf(remoteAddress);
    const group = this.#groups.get(groupKey);
    const key = connectionKey(remoteAddress, remotePort);
    if (group === undefined || !(group.handshaking.delete(key) || group.waiting.delete(key))) return false;
    this.#size--;
    if (sizeOf(group) === 0) this.#groups.delete(groupKey);
    return true;
  }

  #surplus(): Stranger | undefined {
    let largest: Group | undefined;
    for (const group of this.#groups.values()) {
      if (largest === undefined || sizeOf(group) > sizeOf(largest)) largest = group;
    }
    if (largest === undefined) return undefined;
    const [oldest] = largest.handshaking.values();
    return oldest ?? [...largest.waiting.values()].at(-1);
  }
}

function sizeOf({ handshaking, waiting }: Group): number {
  return handshaking.size + waiting.size;
}

function connectionKey(address: string, port: number): string {
  return `${bare(address)} ${port}`;
}

/** A host of IPv6 has a /64 to itself; IPv4 on a listener of both families is the same address as on one of its own. */
function groupOf(address: string): string {
  const plain = bare(address);
  if (!plain.includes(":")) return plain;
  const [head = "", tail = ""] = plain.split("%")[0]?.split("::") ?? [];
  const parts = head.split(":").filter((part) => part !== "");
  const rest = tail.split(":").filter((part) => part !== "");
  while (parts.length + rest.length < 8) parts.push("0");
  return [...parts, ...rest].slice(0, 4).join(":");
}

function bare(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
