import type { ConnectError } from "@connectrpc/connect";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import type { StreamCounts } from "./grpc_stream.ts";

/** A call of a packet service, before it is answered. Exactly one of `accept` and `refuse` is called, once. */
export interface IncomingCall {
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
  /** Where the packets of all its calls are counted. */
  readonly counts?: StreamCounts;
}
