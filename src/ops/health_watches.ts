import { Code, ConnectError } from "@connectrpc/connect";
import type { PeerIdentity } from "../wire/peer_identity.ts";

/**
 * Bounds on who may watch a listener's health at once. Each watch costs a stream and is kept for as long as its client
 * likes, so that strangers could take all of them; a probe has one.
 */
export const watchLimits = {
  /** Of one connection. */
  ofConnection: 10,
  /** Of all: with one more, whoever has the most gives up its oldest. */
  ofListener: 256,
} as const;

/** One client that watches. */
export interface Watch {
  readonly peer: PeerIdentity;
  /** The status may have changed. */
  wake(): void;
  /** Its place was given to another. */
  giveUp(error: ConnectError): void;
}

/** Those who watch a listener's health now, each peer with a share of the places. */
export class HealthWatches {
  /** By who they are, the oldest first. */
  readonly #byPeer = new Map<string, Set<Watch>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes a watch in. @throws {ConnectError} its connection, or its peer, has too many */
  add(watch: Watch): void {
    const key = keyOf(watch.peer);
    const own = this.#byPeer.get(key) ?? new Set();
    let ofConnection = 0;
    for (const { peer } of own) if (peer === watch.peer) ofConnection++;
    if (ofConnection >= watchLimits.ofConnection) throw tooMany(`connection watches ${ofConnection} times`);
    if (this.#size >= watchLimits.ofListener) this.#makeRoom(own.size);
    own.add(watch);
    this.#byPeer.set(key, own);
    this.#size++;
  }

  remove(watch: Watch): void {
    const key = keyOf(watch.peer);
    const own = this.#byPeer.get(key);
    if (own?.delete(watch) !== true) return;
    this.#size--;
    if (own.size === 0) this.#byPeer.delete(key);
  }

  wakeAll(): void {
    for (const watches of [...this.#byPeer.values()]) for (const watch of [...watches]) watch.wake();
  }

  /** Takes the oldest place of whoever has the most, for one who has fewer. */
  #makeRoom(ownSize: number): void {
    let most: ReadonlySet<Watch> = new Set();
    for (const watches of this.#byPeer.values()) if (watches.size > most.size) most = watches;
    const [oldest] = most;
    if (oldest === undefined || most.size <= ownSize) throw tooMany(`${this.#size} clients watch`);
    this.remove(oldest);
    oldest.giveUp(tooMany("others want to watch, and this client watches most often"));
  }
}

function tooMany(why: string): ConnectError {
  return new ConnectError(`${why} already, watch less or check instead`, Code.ResourceExhausted);
}

/** Who somebody is: by the certificate that was verified, else by the address, whatever its port. */
function keyOf({ address, certificate }: PeerIdentity): string {
  return certificate?.fingerprint ?? address.replace(/:\d+$/, "");
}
