import type { PacketCounts } from "../wire/packet_counts.ts";
import type { DialFailureReason } from "./proxy_error.ts";

/** A hop of a packet stream as metrics label it, seen from the client. */
export type ClientSegment = "from_client" | "to_client";

/** What the client reports as it happens. */
export interface ClientEvents {
  /** A dial failed, for whatever reason; called once for each. */
  dialFailed(reason: DialFailureReason): void;
  /** A stream to the proxy failed. @param code gRPC code name, such as `Unavailable` */
  streamFailed(segment: ClientSegment, code: string, packetType: string): void;
}

/** What a proxy client holds now, read when metrics are scraped. */
export interface ClientGauges {
  /** Dials without an answer yet. */
  readonly dialing: number;
  /** Open tunnels. */
  readonly open: number;
  /** Packets sent and received; all zero for HTTP CONNECT, which has none. */
  readonly packets: Readonly<Record<ClientSegment, PacketCounts>>;
}

/** Events that nobody asked for. */
export const noClientEvents: ClientEvents = {
  dialFailed: () => {},
  streamFailed: () => {},
};
