import type { Owner } from "../../faults/fault.ts";
import { guard } from "../../faults/owned.ts";
import { h2Code } from "../../h2/frames/frame.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import type { H2Stream, H2StreamHandler } from "../../h2/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { linger } from "../tcp/linger.ts";
import { type MessageCarrier, MessageExchange } from "../call/message_exchange.ts";
import type { MessageService } from "../call/message_service.ts";

/** Serves a call of a message service over our own HTTP/2. */
export class H2MessageCall implements H2StreamHandler, MessageCarrier, Owner {
  readonly place = "call";
  readonly #stream: H2Stream;
  readonly #exchange: MessageExchange;
  readonly #clock: Clock;
  #endLinger: (() => void) | undefined;

  constructor(stream: H2Stream, service: MessageService, peer: PeerIdentity, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.#exchange = new MessageExchange(service, this, peer, clock);
    stream.start(this);
  }

  /** {@link Owner}. */
  faulted(): void {
    this.reset();
  }

  // ---- H2StreamHandler ----

  onData(bytes: Uint8Array): void {
    guard(this, () => this.#exchange.push(bytes));
  }

  onDrain(): void {}

  onEnd(): void {
    guard(this, () => this.#exchange.finish());
  }

  onClose(): void {
    this.#endLinger?.();
    guard(this, () => this.#exchange.gone());
  }

  // ---- MessageCarrier ----

  respond(fields: readonly HeaderField[], end: boolean): void {
    this.#stream.respond(fields, end);
    if (end) this.#stream.reset(h2Code.noError);
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#stream.closed) return;
    this.#endLinger = linger(() => this.#stream.queuedBytes, () => this.#stream.reset(h2Code.noError), this.#clock);
    this.#stream.end(trailers);
  }

  reset(): void {
    this.#stream.reset(h2Code.internalError);
  }
}
