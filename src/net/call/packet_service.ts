import type { ConnectError } from "@connectrpc/connect";
import type { PacketStream } from "../../streams/packet_stream.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";

/** A call of a packet service, before it is answered. Exactly one of `accept` and `refuse` is called, once. */
export interface IncomingCall {
  /** Who calls, by what the connection proves. */
  readonly peer: PeerIdentity;
  /** All values of a request header. */
  metadata(key: string): readonly string[];
  /** Aborts when the caller goes away before the call is answered. */
  readonly signal: AbortSignal;
  /** Answers with response metadata, which leaves at once, and opens the packet stream. */
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  /** Ends the call with a gRPC status. */
  refuse(error: ConnectError): void;
}

/** A method that carries packets both ways. */
export interface PacketService {
  /** `/Service/Method`, from the generated descriptor. */
  readonly path: string;
  handle(call: IncomingCall): void;
  /** Calls of it that one connection may have open; absent: as many as HTTP/2 allows. */
  readonly maxCallsOfConnection?: number;
  /** Where the packets of all its calls are counted. */
  readonly counts?: StreamCounts;
}
