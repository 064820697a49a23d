import type { Socket } from "node:net";
import type { Owner } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import { type FairReader, readInTurns } from "../../runtime/fair_reading.ts";
import { bytesRead, gated, ungated } from "../../runtime/memory/read_meter.ts";
import { joined } from "../../wire/bytes.ts";
import { edgeLimits } from "../edge/edge_limits.ts";

/** So much of a chunk is taken at once where its frames cost much; a chunk may hold thousands. */
const partBytes = 8 * 1024;

/** Takes a link's bytes. */
export interface ChunkSink extends Owner {
  /** The link is broken: what still comes is not looked at. */
  readonly broken: boolean;
  onBytes(bytes: Uint8Array): void;
}

/** Reads a link's socket in turns with all others, and chunks whose frames cost much in parts. */
export class LinkChunks {
  readonly #socket: Socket;
  readonly #sink: ChunkSink;
  readonly #turns: FairReader;
  /** What remains of the last chunk, for a later turn. */
  #rest: Uint8Array | undefined;
  readonly #pushRest: () => void;
  #droppedBytes = 0;

  constructor(socket: Socket, sink: ChunkSink) {
    this.#socket = socket;
    this.#sink = sink;
    this.#pushRest = owned(sink, () => {
      const rest = this.#rest;
      this.#rest = undefined;
      if (rest !== undefined) this.#push(rest);
    });
    this.#turns = readInTurns(socket, owned(sink, (chunk: Uint8Array) => this.#onChunk(chunk)));
  }

  /** The peer is one that was accepted: it does not share its turns with strangers. */
  accept(): void {
    this.#turns.accept();
    if (!this.#socket.destroyed) gated("link", this.#turns);
  }

  /** The connection is over: what remains comes before its end. */
  finish(): void {
    if (this.#socket.destroyed) ungated("link", this.#turns);
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined && !this.#sink.broken) this.#sink.onBytes(rest);
  }

  #onChunk(chunk: Uint8Array): void {
    bytesRead(chunk.length);
    if (this.#sink.broken) return this.#drop(chunk.length);
    // What TLS had read already, while the rest of the chunk before waits for its turn.
    if (this.#rest !== undefined) this.#rest = joined(this.#rest, chunk);
    else if (this.#turns.heavy) this.#push(chunk);
    else this.#sink.onBytes(chunk);
  }

  /** Takes a chunk, or a part of it where frames cost so much that the others have their turn before the rest. */
  #push(chunk: Uint8Array): void {
    const inParts = this.#turns.heavy && chunk.length > partBytes;
    this.#sink.onBytes(inParts ? chunk.subarray(0, partBytes) : chunk);
    if (!inParts || this.#sink.broken) return;
    this.#rest = chunk.subarray(partBytes);
    this.#turns.later(this.#pushRest);
  }

  /** What comes behind a failure is not read for ever. */
  #drop(bytes: number): void {
    this.#turns.dropped(bytes);
    this.#droppedBytes += bytes;
    if (this.#droppedBytes > edgeLimits.closedBytes) this.#socket.destroy();
  }
}
