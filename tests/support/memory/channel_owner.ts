import { ownerOf } from "../../../src/faults/owned.ts";
import type { ChannelOwner } from "../../../src/mux/channel.ts";
import { flowLimits } from "../../../src/mux/flow_limits.ts";
import { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import { Session, type SessionOptions } from "../../../src/mux/session.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { closeRequest } from "../../../src/wire/packet.ts";

/** An owner of a channel that does nothing but what a test gives it to do. */
export function channelOwner(does: Partial<ChannelOwner> = {}): ChannelOwner {
  return { ...ownerOf("tunnel"), deliver: () => {}, channelWritable: () => {}, stalled: () => {}, ...does };
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
