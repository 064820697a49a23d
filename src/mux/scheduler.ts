import { fault } from "../faults/fault.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import type { Packet } from "../wire/packet.ts";
import { flowLimits } from "./flow_limits.ts";
import type { Channel } from "./channel.ts";
import type { PacketStream } from "../streams/packet_stream.ts";

/**
 * Writes the packets of many tunnels onto one link: control packets at once, DATA of the channels in turn (deficit round
 * robin with one quantum, Shreedhar and Varghese 1995), small payloads of channels in which nothing waits before their turn.
 * The link's own buffer stays small, so that nothing waits long behind what was written before.
 */
export class Scheduler {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly #stream: PacketStream;
  #open = true;
  #pumping = false;
  #aheadBytes = 0;
  #drains = 0;
  /** Channels that wait for a turn, the next one first. */
  readonly #turns = new Set<Channel>();

  constructor(stream: PacketStream, now: () => number) {
    this.#stream = stream;
    this.now = now;
  }

  /** The link takes data. */
  get open(): boolean {
    return this.#open;
  }

  /** How often the link was blocked and has drained. */
  get drains(): number {
    return this.#drains;
  }

  /** Reserves room for a small payload on a blocked link. @returns false when there is none until the link drains */
  reserveAhead(bytes: number): boolean {
    if (this.#aheadBytes + bytes > flowLimits.aheadBytes) return false;
    this.#aheadBytes += bytes;
    return true;
  }

  /** Sends a control packet, before all data that waits. */
  sendPacket(packet: Packet): void {
    if (!this.#stream.sendPacket(packet)) this.#open = false;
  }

  sendData(id: ConnectId, payload: Uint8Array): void {
    if (!this.#stream.sendData(id, payload)) this.#open = false;
  }

  /** A channel is interactive, for so many milliseconds from now on. */
  interactive(forMs: number): void {
    this.#stream.interactive?.(forMs);
  }

  /** A channel wants a turn. */
  wait(channel: Channel): void {
    this.#turns.add(channel);
    if (this.#open) this.#pump();
  }

  forget(channel: Channel): void {
    this.#turns.delete(channel);
  }

  /** The link takes data again. */
  onDrain(): void {
    this.#open = true;
    this.#drains++;
    this.#aheadBytes = 0;
    this.#pump();
  }

  /** Channels that wait for a turn now. */
  get waitingCount(): number {
    return this.#turns.size;
  }

  #pump(): void {
    // An owner that goes on may send at once, and so come back here.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#open) {
      const [channel] = this.#turns;
      if (channel === undefined) break;
      this.#turns.delete(channel);
      try {
        if (channel.flush(flowLimits.maxDataBytes)) this.#turns.add(channel);
        else channel.settle();
      } catch (error) {
        // One tunnel ends, and the others have their turns: the link must not stop for it.
        fault(channel.owner, error);
      }
    }
    this.#pumping = false;
  }
}
