import { ownerOf } from "../../../src/faults/owned.ts";
import type { Channel } from "../../../src/mux/channel.ts";
import type { ChannelOwner } from "../../../src/mux/channel_owner.ts";
import type { ByteStreamHandler } from "../../../src/streams/byte_stream.ts";
import { flowLimits } from "../../../src/mux/flow_limits.ts";
import { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import { Session, type SessionOptions } from "../../../src/mux/session.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { closeRequest } from "../../../src/wire/packet.ts";

/** An owner of a channel that does nothing but what a test gives it to do. */
export function channelOwner(does: Partial<ChannelOwner> = {}): ChannelOwner {
  return {
    ...ownerOf("tunnel"),
    taken: () => {},
    discarded: () => true,
    sideEnded: () => {},
    sideGone: () => {},
    violated: () => {},
    stalled: () => {},
    ...does,
  };
}

/** The same for what reads a channel. */
export function reader(does: Partial<ByteStreamHandler> = {}): ByteStreamHandler {
  return { onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {}, ...does };
}

/** A channel that is read. */
export function openChannel(
  session: Session<ChannelOwner>,
  id: number,
  does: Partial<ChannelOwner> = {},
  reads: Partial<ByteStreamHandler> = {},
): Channel<ChannelOwner> {
  const channel = session.open(id, channelOwner(does));
  channel.start(reader(reads));
  return channel;
}

/** A session as the server has it, on a link without windows unless a test says otherwise. Its deadlines never fire. */
export function sessionOn(link: PacketStream, options: Partial<SessionOptions> = {}): Session<ChannelOwner> {
  return new Session(link, {
    windows: false,
    returns: false,
    now: () => 0,
    after: () => ({ cancel: () => {} }),
    growth: new GrowthBudget(flowLimits.growthBudgetBytes),
    stallLimits: { heldBytes: Infinity, graceMs: 10_000 },
    closeUnknown: closeRequest,
    ...options,
  });
}
