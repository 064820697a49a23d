import { Code, ConnectError } from "@connectrpc/connect";
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { FloodBudget } from "../../h2/flood_budget.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { ConnectionBudget } from "../call/call_budget.ts";
import { statusTrailers } from "../call/grpc_status.ts";
import { ServerGrpcStream, valuesOf } from "./grpc_stream.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { linger } from "../tcp/linger.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import type { IncomingCall } from "../call/packet_service.ts";

/** A call of a packet service over node:http2. */
export class Http2Call implements IncomingCall {
  readonly peer: PeerIdentity;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: readonly string[];
  readonly #counts: StreamCounts | undefined;
  /** Given back what the call has cost, once it is accepted. */
  readonly #work: FloodBudget;
  readonly #clock: Clock;
  readonly #gone = new AbortController();

  constructor(
    stream: ServerHttp2Stream,
    headers: readonly string[],
    peer: PeerIdentity,
    work: FloodBudget,
    counts: StreamCounts | undefined,
    clock: Clock,
  ) {
    this.peer = peer;
    this.#work = work;
    this.#clock = clock;
    this.#stream = stream;
    this.#headers = headers;
    this.#counts = counts;
    const gone = () => this.#gone.abort(new ConnectError("the caller went away", Code.Canceled));
    stream.once("close", owned(ownerOf("call"), gone));
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  metadata(key: string): readonly string[] {
    return valuesOf(this.#headers, key);
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    this.#work.earn(edgeLimits.runtimeRequestCost);
    return new ServerGrpcStream(this.#stream, metadata, this.#counts, this.#clock);
  }

  refuse(error: ConnectError): void {
    refuse(this.#stream, { ":status": 200, "content-type": "application/grpc", ...statusTrailers(error) });
  }
}

/** Answers with an empty page, and waits a while for the client's own end: testers of HTTP/2 take a reset for a fault. */
export function answerPage(
  stream: ServerHttp2Stream,
  headers: OutgoingHttpHeaders,
  budget: ConnectionBudget,
  clock: Clock,
): void {
  if (stream.destroyed) return;
  stream.respond(headers);
  stream.end();
  stream.resume();
  const drop = () => stream.close(constants.NGHTTP2_NO_ERROR);
  if (!budget.takeRefused()) return void stream.once("finish", owned(ownerOf("call"), drop));
  const endLinger = linger(() => 0, drop, clock);
  const gone = () => {
    endLinger();
    budget.releaseRefused();
  };
  stream.once("close", owned(ownerOf("call"), gone));
}

/** Answers with headers alone; what the client still sends is not waited for. */
export function refuse(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (stream.destroyed) return;
  stream.respond(headers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}
