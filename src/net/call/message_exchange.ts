import { Code, ConnectError } from "@connectrpc/connect";
import { fault, type Owner } from "../../faults/fault.ts";
import { guard } from "../../faults/owned.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { grpcPrefixBytes } from "../../wire/limits.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { statusTrailers } from "./grpc_status.ts";
import type { MessageCall, MessageService } from "./message_service.ts";
import { RequestMessage } from "./request_message.ts";

/** A stream of either HTTP/2, as a call needs it. */
export interface MessageCarrier {
  /** Sends the response's headers; with `end`, nothing follows, and what the caller still sends is not read. */
  respond(fields: readonly HeaderField[], end: boolean): void;
  /** Returns false when bytes wait that the caller does not take. */
  write(bytes: Uint8Array): boolean;
  /** Ends the answer behind everything written; what the caller still sends is not read. */
  end(trailers: readonly HeaderField[]): void;
  /** Drops the stream. */
  reset(): void;
}

/** Tells callers what they may send, as gRPC asks for where a compressed message is refused. */
const responseHeaders: readonly HeaderField[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
  ["grpc-accept-encoding", "identity"],
];

/** One call of a {@link MessageService}, whatever carries it. */
export class MessageExchange implements MessageCall, Owner {
  readonly place = "call";
  readonly peer: PeerIdentity;
  readonly #service: MessageService;
  readonly #carrier: MessageCarrier;
  readonly #onGone: (() => void)[] = [];
  #incoming: RequestMessage | undefined;
  #request: Uint8Array = new Uint8Array(0);
  #deadline: Deadline | undefined;
  #responded = false;
  #ended = false;
  #gone = false;

  constructor(service: MessageService, carrier: MessageCarrier, peer: PeerIdentity, clock: Clock) {
    this.#service = service;
    this.#carrier = carrier;
    this.peer = peer;
    this.#incoming = new RequestMessage(service.maxRequestBytes);
    const { requestMessageTimeoutMs } = edgeLimits;
    this.#deadline = clock.after(requestMessageTimeoutMs, () => {
      this.end(new ConnectError(`no request in ${requestMessageTimeoutMs / 1000} s`, Code.DeadlineExceeded));
    }, this);
  }

  get request(): Uint8Array {
    return this.#request;
  }

  // ---- from the service ----

  send(message: Uint8Array): void {
    if (this.#ended || this.#gone) return;
    this.#respond(false);
    const framed = new Uint8Array(grpcPrefixBytes + message.length);
    new DataView(framed.buffer).setUint32(1, message.length);
    framed.set(message, grpcPrefixBytes);
    if (!this.#carrier.write(framed)) this.#drop();
  }

  end(error?: ConnectError): void {
    if (this.#ended || this.#gone) return;
    this.#ended = true;
    this.#requestOver();
    const trailers = Object.entries(statusTrailers(error));
    if (this.#responded) this.#carrier.end(trailers);
    else this.#carrier.respond([...responseHeaders, ...trailers], true);
  }

  onGone(listener: () => void): void {
    if (this.#gone) listener();
    else this.#onGone.push(listener);
  }

  /** {@link Owner}. */
  faulted(): void {
    this.#drop();
  }

  // ---- from the carrier ----

  /** Bytes of the request. */
  push(bytes: Uint8Array): void {
    if (this.#incoming === undefined) return;
    try {
      const message = this.#incoming.push(bytes);
      if (message === undefined) return;
      this.#requestOver();
      this.#request = message;
      this.#service.handle(this);
    } catch (error) {
      if (error instanceof ConnectError) this.end(error);
      else fault(this, error);
    }
  }

  /** The request has ended. */
  finish(): void {
    if (this.#incoming !== undefined) this.end(this.#incoming.incomplete);
  }

  /** The stream is gone. */
  gone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#requestOver();
    for (const listener of this.#onGone.splice(0)) guard(this, listener);
  }

  // ---- own ----

  #respond(end: boolean): void {
    if (this.#responded) return;
    this.#responded = true;
    this.#carrier.respond(responseHeaders, end);
  }

  #requestOver(): void {
    this.#incoming = undefined;
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }

  #drop(): void {
    this.#ended = true;
    this.#carrier.reset();
  }
}
