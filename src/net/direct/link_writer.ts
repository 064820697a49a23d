import type { Socket } from "node:net";
import type { Owner } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import { flowLimits } from "../../mux/flow_limits.ts";
import { ByteQueue } from "../../streams/byte_queue.ts";
import type { ConnectId } from "../../wire/connect_id.ts";
import { dataHeader } from "../../wire/data_header.ts";
import type { PacketCounts } from "../../wire/packet_counts.ts";

/**
 * Writes a link's frames to its socket, in their order: one write to the system for all of a turn of the event loop, and
 * payloads that follow each other on one tunnel within it as one packet.
 */
export class LinkWriter implements Owner {
  readonly place = "link";
  readonly #socket: Socket;
  readonly #counts: PacketCounts | undefined;
  readonly #link: Owner;
  #corked = false;
  #ended = false;
  /** Frames other than DATA that wait for a full socket, side by side: each would cost it hundreds of bytes. */
  #held: ByteQueue | undefined;
  /** Payloads of the packet that is being gathered. */
  readonly #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #gatheredId: ConnectId = 0;

  /** @param link ends when a write throws */
  constructor(socket: Socket, counts: PacketCounts | undefined, link: Owner) {
    this.#socket = socket;
    this.#counts = counts;
    this.#link = link;
  }

  /** {@link Owner}. */
  faulted(error: Error): void {
    this.#link.faulted(error);
  }

  /** Something that is written goes out; false from {@link end} on, and once the socket is gone. */
  get writable(): boolean {
    return !this.#ended && !this.#socket.destroyed;
  }

  /** Bytes that the system has not taken yet, those of the packet that is being gathered excepted. */
  get unsentBytes(): number {
    return this.#socket.writableLength + (this.#held?.length ?? 0);
  }

  /** Adds a payload, without a copy; only while {@link writable}. */
  data(id: ConnectId, payload: Uint8Array): void {
    this.cork();
    if (id !== this.#gatheredId || this.#gatheredBytes + payload.length > flowLimits.maxDataBytes) {
      this.#writeGathered();
    }
    this.#gatheredId = id;
    this.#gathered.push(payload);
    this.#gatheredBytes += payload.length;
    if (this.#gatheredBytes >= flowLimits.maxDataBytes) this.#writeGathered();
  }

  /**
   * Writes a frame that is not DATA behind what came before; only while {@link writable}.
   * @returns false when the caller should wait until the socket has drained
   */
  frame(frame: Uint8Array): boolean {
    this.#writeGathered();
    return this.frameAhead(frame);
  }

  /** As {@link frame}, but ahead of the packet that is being gathered, which it does not end. */
  frameAhead(frame: Uint8Array): boolean {
    if (this.#held === undefined && !this.#socket.writableNeedDrain) return this.#socket.write(frame);
    this.#held ??= new ByteQueue();
    this.#held.push(frame);
    return false;
  }

  /** What is written in this turn of the event loop goes to the system at its end. */
  cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    queueMicrotask(this.#uncork);
  }

  /** Hands on what was held for a socket that has drained. @returns false when it is full again */
  writeHeld(): boolean {
    this.#writeHeld();
    return !this.#socket.writableNeedDrain;
  }

  readonly #uncork = owned(this, (): void => {
    this.#corked = false;
    this.#writeGathered();
    this.#socket.uncork();
  });

  /** Writes the last frame behind everything else, and ends this side. */
  end(last: Uint8Array): void {
    this.#writeGathered();
    this.#writeHeld();
    this.#ended = true;
    this.#socket.end(last);
  }

  /** Hands on the frames that were held, in their order and before whatever follows. */
  #writeHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (!this.writable) return;
    for (let piece = held.shift(); piece !== undefined; piece = held.shift()) this.#socket.write(piece);
  }

  #writeGathered(): void {
    if (this.#gatheredBytes === 0) return;
    if (this.writable) {
      this.#writeHeld();
      this.#counts?.data();
      this.#socket.write(dataHeader(this.#gatheredId, this.#gatheredBytes));
      for (const payload of this.#gathered) this.#socket.write(payload);
    }
    this.#gathered.length = 0;
    this.#gatheredBytes = 0;
  }
}
