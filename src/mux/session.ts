import { fault } from "../faults/fault.ts";
import type { GrowthBudget } from "../streams/growth_budget.ts";
import type { PacketStream } from "../streams/packet_stream.ts";
import type { After } from "../streams/progress.ts";
import { type LinkPace, ReceiveWindow } from "../streams/receive_window.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import type { Packet } from "../wire/packet.ts";
import { Channel } from "./channel.ts";
import type { ChannelOwner } from "./channel_owner.ts";
import { flowLimits } from "./flow_limits.ts";
import { QuietCredit } from "./quiet_credit.ts";
import { Scheduler } from "./scheduler.ts";
import { StallGuard, type StallLimits } from "./stall_guard.ts";

/** What the two ends of a link do differently. */
export interface SessionOptions {
  /** Both ends return credit with WINDOW packets. */
  readonly windows: boolean;
  /** Both ends take credit back that the other does not need. */
  readonly returns: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly after: After;
  readonly growth: GrowthBudget;
  /**
   * What waits during a pause is handed on at once when that is over, so that it leaves in few writes; absent: piece by piece,
   * each once the one before it was taken, so that a slow reader is seen to make progress.
   */
  readonly gathers?: true;
  /** For a link without windows. */
  readonly stallLimits: StallLimits;
  /** What asks the peer to close a connection that is not known here. */
  readonly closeUnknown: (id: ConnectId) => Packet;
}

/** The multiplexer at either end of a link: the channels on it, by their ids, and what they share. */
export class Session<O extends ChannelOwner> {
  readonly scheduler: Scheduler;
  readonly stalls: StallGuard;
  readonly quiet: QuietCredit;
  readonly options: SessionOptions;
  readonly #link: PacketStream;
  readonly #pace: LinkPace;
  readonly #channels = new Map<ConnectId, Channel<O>>();
  #lastUnknown: ConnectId = 0;

  constructor(link: PacketStream, options: SessionOptions) {
    this.#link = link;
    this.options = options;
    this.scheduler = new Scheduler(link, options.now);
    this.stalls = new StallGuard(link, options.stallLimits, options.after);
    this.quiet = new QuietCredit(options.windows && options.returns ? options.after : undefined);
    this.#pace = { now: options.now, roundTripMs: () => link.roundTripMs };
  }

  /** Asks for the link's round trip, where windows need it. Called once the link was started. */
  start(): void {
    if (this.options.windows) this.#link.measure();
  }

  /** Channels that are known. */
  get size(): number {
    return this.#channels.size;
  }

  /** The owners of all channels. */
  *owners(): IterableIterator<O> {
    for (const { owner } of this.#channels.values()) yield owner;
  }

  owner(id: ConnectId): O | undefined {
    return this.#channels.get(id)?.owner;
  }

  /** Opens a channel; its id is not in use. */
  open(id: ConnectId, owner: O): Channel<O> {
    this.#lastUnknown = 0;
    const { windows, growth } = this.options;
    const { initialWindowBytes } = flowLimits;
    const receiving = windows ? new ReceiveWindow(initialWindowBytes, growth, this.#pace) : undefined;
    const channel = new Channel(id, owner, this, receiving);
    this.#channels.set(id, channel);
    return channel;
  }

  /** Forgets a channel: packets for its id are a stranger's from now on. */
  forget(id: ConnectId): void {
    this.#channels.delete(id);
  }

  sendPacket(packet: Packet): void {
    this.scheduler.sendPacket(packet);
  }

  /** WINDOW came. */
  granted(id: ConnectId, bytes: number): void {
    const channel = this.#channels.get(id);
    if (channel?.granted(bytes) === false) channel.owner.violated("returned impossible credit");
  }

  /** DATA came. What throws ends the channel's owner. */
  deliver(id: ConnectId, payload: Uint8Array): void {
    const channel = this.#channels.get(id);
    if (channel !== undefined) {
      try {
        channel.deliver(payload);
      } catch (error) {
        fault(channel.owner, error);
      }
      return;
    }
    // One answer for all packets of a connection that were in flight when it ended, and for all pieces of a packet.
    if (id === 0 || id === this.#lastUnknown) return;
    this.#lastUnknown = id;
    this.scheduler.sendPacket(this.options.closeUnknown(id));
  }
}
