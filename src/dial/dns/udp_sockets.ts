import type { Socket } from "node:dgram";
import { isIP } from "node:net";
import process from "node:process";
import { owned, ownerOf } from "../../faults/owned.ts";

/** Takes a datagram. */
export type OnDatagram = (bytes: Uint8Array, from: { readonly address: string; readonly port: number }) => void;

/** A question's place on a socket. */
export interface UdpPlace {
  /** The number that the question is to carry; nobody else has it on this socket. */
  readonly id: number;
  /** Sends from the socket; failures are reported where the place was taken. */
  send(bytes: Uint8Array, server: string, port: number): void;
  /** Gives the place up. The socket is closed when it was the last. */
  release(): void;
}

/**
 * The sockets that name servers are asked from. Each question has one of its own, with a port that the system chose, so that
 * nobody off the path can answer in a server's place, and so that the two questions for one name do not share a port, of
 * which networks lose one (the five seconds that resolvers in Kubernetes are known for). Beyond `max`, questions share
 * sockets that are open: none waits for another.
 */
export class UdpSockets {
  readonly #max: number;
  readonly #open = new Set<SharedSocket>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Sockets that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** A place on a socket that reaches `server`. */
  take(server: string, onDatagram: OnDatagram, onError: (error: Error) => void): UdpPlace {
    const family = isIP(server) === 6 ? 6 : 4;
    const shared = this.#open.size < this.#max ? undefined : this.#any(family);
    const socket = shared ?? new SharedSocket(family, (ended) => this.#open.delete(ended));
    this.#open.add(socket);
    return socket.take(onDatagram, onError);
  }

  #any(family: 4 | 6): SharedSocket | undefined {
    const fitting = [...this.#open].filter((socket) => socket.family === family && socket.hasRoom);
    return fitting[Math.floor(Math.random() * fitting.length)];
  }
}

/** Half of all numbers: a free one is found at the second try on average. */
const maxPlaces = 32_768;

interface Place {
  readonly onDatagram: OnDatagram;
  readonly onError: (error: Error) => void;
}

class SharedSocket {
  readonly family: 4 | 6;
  readonly #socket: Socket;
  readonly #onEnd: (socket: SharedSocket) => void;
  readonly #places = new Map<number, Place>();

  constructor(family: 4 | 6, onEnd: (socket: SharedSocket) => void) {
    this.family = family;
    this.#onEnd = onEnd;
    // Loaded when it is first needed: a server of Unix sockets resolves nothing.
    const { createSocket } = process.getBuiltinModule("node:dgram");
    this.#socket = createSocket(family === 6 ? { type: "udp6", ipv6Only: true } : { type: "udp4" });
    const owner = ownerOf("dial");
    const onMessage: OnDatagram = (bytes, from) => {
      if (bytes.length >= 2) this.#places.get((bytes[0] ?? 0) << 8 | (bytes[1] ?? 0))?.onDatagram(bytes, from);
    };
    const onError = (error: Error) => {
      for (const place of [...this.#places.values()]) place.onError(error);
    };
    this.#socket.on("message", owned(owner, onMessage)).on("error", owned(owner, onError));
  }

  get hasRoom(): boolean {
    return this.#places.size < maxPlaces;
  }

  take(onDatagram: OnDatagram, onError: (error: Error) => void): UdpPlace {
    let id = randomId();
    while (this.#places.has(id)) id = randomId();
    this.#places.set(id, { onDatagram, onError });
    return {
      id,
      send: (bytes, server, port) => {
        // The runtime binds the socket at the first send; a callback keeps failures of one send from the others.
        const onSent = (error: Error | null) => {
          if (error !== null && this.#places.has(id)) onError(error);
        };
        this.#socket.send(bytes, port, server, owned(ownerOf("dial"), onSent));
      },
      release: () => {
        if (!this.#places.delete(id) || this.#places.size > 0) return;
        this.#onEnd(this);
        this.#socket.close();
      },
    };
  }
}

function randomId(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
}
