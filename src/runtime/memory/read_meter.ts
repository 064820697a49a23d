import { getHeapStatistics } from "node:v8";
import { owned, ownerOf } from "../../faults/owned.ts";
import { type GatedReader, ReadGate } from "./read_gate.ts";
import { type Collect, youngCollector } from "./young_buffers.ts";

/** The engine's collector: there when the program was started with `--v8-flags=--expose-gc`, as the launchers do. */
const collect = Reflect.get(globalThis, "gc") as Collect | undefined;
let collectYoung = youngCollector(collect);
let gates: Readonly<Record<GatedKind, ReadGate>> | undefined;
let total = 0;

/** Tells that a socket has read so many bytes. */
export function bytesRead(bytes: number): void {
  total += bytes;
  collectYoung(bytes);
}

/** What a handshake, or the end of its connection, counts for: the runtime reads it by itself, and it makes more garbage. */
const handshakeBytes = 1024;

/** Tells that a TLS connection has come or gone. */
export function handshakeSeen(): void {
  total += handshakeBytes;
}

/** Where a thread has little memory, what it does about that. */
export interface ReadLimits {
  /** The buffers of what was read are freed after every so many bytes. */
  readonly collectEveryBytes: number;
  /** Beyond so many bytes in buffers no more is read of the sockets of a kind; absent: as much as comes. */
  readonly mostHeldBytes?: Readonly<Record<GatedKind, number>>;
}

/**
 * What is held back first: the sockets of destinations and clients, whose bytes wait for a link. Links carry what lets those
 * bytes go, and follow only where what they bring is itself too much.
 */
export type GatedKind = "endpoint" | "link";

/** Bounds what the sockets of this thread read. Called once, before there are any; without the engine's collector nothing is gated. */
export function limitReads({ collectEveryBytes, mostHeldBytes }: ReadLimits): void {
  collectYoung = youngCollector(collect, collectEveryBytes);
  if (collect === undefined || mostHeldBytes === undefined) return;
  const open = (kind: GatedKind) =>
    new ReadGate({
      mostBytes: mostHeldBytes[kind],
      heldBytes: () => getHeapStatistics().external_memory,
      collect: () => collect({ type: "major" }),
      after(ms, step) {
        const timer = setTimeout(owned(ownerOf("timer"), step), ms);
        return () => clearTimeout(timer);
      },
    });
  const opened = { endpoint: open("endpoint"), link: open("link") };
  gates = opened;
  collectYoung = youngCollector((options) => {
    collect(options);
    opened.endpoint.judge();
    opened.link.judge();
  }, collectEveryBytes);
}

/** A socket whose bytes may have to wait here is read only while there is memory for it, until {@link ungated}. */
export function gated(kind: GatedKind, reader: GatedReader): void {
  gates?.[kind].add(reader);
}

export function ungated(kind: GatedKind, reader: GatedReader): void {
  gates?.[kind].delete(reader);
}

/** What all sockets of links, clients and destinations have read so far, in bytes, with what handshakes count for. */
export function bytesReadSoFar(): number {
  return total;
}
