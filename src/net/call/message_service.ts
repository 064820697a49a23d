import type { ConnectError } from "@connectrpc/connect";
import type { PeerIdentity } from "../../wire/peer_identity.ts";

/** A gRPC call with one small request, which has come whole; the answer is any number of messages, and a status. */
export interface MessageCall {
  /** Who calls, by what the connection proves; one object for all calls of a connection. */
  readonly peer: PeerIdentity;
  /** The request's message, without its prefix. */
  readonly request: Uint8Array;
  /** Sends a message. A caller that leaves so many unread that they would have to be kept loses its call. */
  send(message: Uint8Array): void;
  /** Ends the call, in order or with an error. */
  end(error?: ConnectError): void;
  /** Calls back once, when the call has ended, whoever ended it. */
  onGone(listener: () => void): void;
}

/** A method that both kinds of HTTP/2 serve by themselves, without the router. */
export interface MessageService {
  /** `/Service/Method`, from the generated descriptor. */
  readonly path: string;
  /** Largest request, in bytes; one that is announced to be larger is refused before it is read. */
  readonly maxRequestBytes: number;
  handle(call: MessageCall): void;
}
