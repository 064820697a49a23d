import { Code, ConnectError } from "@connectrpc/connect";
import { owned, ownerOf } from "../../faults/owned.ts";
import { h2Code } from "../../h2/frames/frame.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import type { RequestHeaders } from "../../h2/request_headers.ts";
import type { H2Stream, H2StreamHandler } from "../../h2/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { ConnectionBudget } from "../call/call_budget.ts";
import { refusalHeaders } from "../call/call_route.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { H2PacketStream } from "./h2_packet_stream.ts";
import type { H2Socket } from "./h2_socket.ts";
import { linger } from "../tcp/linger.ts";
import type { IncomingCall } from "../call/packet_service.ts";

/** What a client still sends of a refused request is read and dropped. */
const sink: H2StreamHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

/** Answers with an empty page, and waits a while for the client's own end: testers of HTTP/2 take a reset for a fault. */
export function answerPage(
  stream: H2Stream,
  headers: readonly HeaderField[],
  budget: ConnectionBudget,
  clock: Clock,
): void {
  stream.respond(headers);
  stream.end();
  if (stream.remoteEnded || !budget.takeRefused()) return stream.reset(h2Code.noError);
  const endLinger = linger(() => 0, () => stream.reset(h2Code.noError), clock);
  stream.onGone(() => {
    endLinger();
    budget.releaseRefused();
  });
  stream.start(sink);
}

/** Answers with headers alone; what the client still sends is not waited for. */
export function refuse(stream: H2Stream, headers: readonly HeaderField[]): void {
  stream.respond(headers, true);
  stream.reset(h2Code.noError);
}

/** A call of a packet service over our own HTTP/2. */
export class H2Call implements IncomingCall {
  readonly peer: PeerIdentity;
  readonly #stream: H2Stream;
  readonly #headers: RequestHeaders;
  readonly #counts: StreamCounts | undefined;
  readonly #socket: H2Socket;
  #gone: AbortController | undefined;

  constructor(
    stream: H2Stream,
    headers: RequestHeaders,
    peer: PeerIdentity,
    socket: H2Socket,
    counts: StreamCounts | undefined,
  ) {
    this.peer = peer;
    this.#socket = socket;
    this.#stream = stream;
    this.#headers = headers;
    this.#counts = counts;
  }

  /** Made when it is asked for: most calls are answered at once. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController();
      this.#gone = gone;
      const owner = ownerOf("call", () => this.#stream.reset(h2Code.internalError));
      this.#stream.onGone(owned(owner, () => gone.abort(new ConnectError("the caller went away", Code.Canceled))));
    }
    return this.#gone.signal;
  }

  metadata(key: string): readonly string[] {
    return this.#headers.all(key);
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    this.#socket.accepted();
    return new H2PacketStream(this.#stream, metadata, this.#counts, this.#socket.clock);
  }

  refuse(error: ConnectError): void {
    refuse(this.#stream, refusalHeaders(error));
  }
}
