import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Owner } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import { h2Limits } from "../../h2/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { linger } from "../tcp/linger.ts";
import { type MessageCarrier, MessageExchange } from "../call/message_exchange.ts";
import type { MessageService } from "../call/message_service.ts";

/** Serves a call of a message service over node:http2. */
export class Http2MessageCall implements MessageCarrier, Owner {
  readonly place = "call";
  readonly #stream: ServerHttp2Stream;
  readonly #clock: Clock;
  #trailers: readonly HeaderField[] = [];
  #endLinger: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, service: MessageService, peer: PeerIdentity, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    const exchange = new MessageExchange(service, this, peer, clock);
    stream.on("data", owned(this, (bytes: Uint8Array) => exchange.push(bytes)));
    stream.on("end", owned(this, () => exchange.finish()));
    stream.on("wantTrailers", owned(this, () => stream.sendTrailers(headersOf(this.#trailers))));
    stream.once(
      "close",
      owned(this, () => {
        this.#endLinger?.();
        exchange.gone();
      }),
    );
  }

  /** {@link Owner}. */
  faulted(): void {
    this.reset();
  }

  // ---- MessageCarrier ----

  respond(fields: readonly HeaderField[], end: boolean): void {
    if (this.#stream.destroyed) return;
    this.#stream.respond(headersOf(fields), end ? { endStream: true } : { waitForTrailers: true });
    if (end) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#stream.destroyed) return true;
    this.#stream.write(bytes);
    return this.#stream.writableLength < h2Limits.streamQueueHighBytes;
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#stream.destroyed) return;
    this.#trailers = trailers;
    const drop = () => this.#stream.close(constants.NGHTTP2_NO_ERROR);
    this.#endLinger = linger(() => this.#stream.writableLength, drop, this.#clock);
    this.#stream.end();
  }

  reset(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

function headersOf(fields: readonly HeaderField[]): OutgoingHttpHeaders {
  return Object.fromEntries(fields);
}
