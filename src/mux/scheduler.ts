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
  /** Payloads that went ahead of others since the link was blocked: their bytes, and their channels. */
  #aheadBytes = 0;
  readonly #ahead = new Set<Channel>();
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

  /** Reserves room before what other channels have queued: for one small payload of each channel while the link is blocked. */
  reserveAhead(channel: Channel, bytes: number): boolean {
    if (this.#ahead.has(channel) || this.#aheadBytes + bytes > flowLimits.aheadBytes) return false;
    this.#ahead.add(channel);
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
    this.#ahead.delete(channel);
  }

  /** The link takes data again. */
  onDrain(): void {
    this.#open = true;
    this.#aheadBytes = 0;
    this.#ahead.clear();
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
