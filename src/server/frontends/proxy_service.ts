import type { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures } from "../../wire/metadata.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { traceparentKey } from "../../wire/trace_context.ts";
import type { Admission } from "../admission.ts";
import type { AuditTrail } from "../audit_trail.ts";
import type { BackendPool } from "../backend_pool.ts";
import { receiptCode, type ServerEvents } from "../server_events.ts";
import { ProxyStream } from "./proxy_stream.ts";

/** A call of ProxyService.Proxy, before it is answered. */
export interface ProxyCall {
  readonly peer: PeerIdentity;
  metadata(key: string): readonly string[];
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  refuse(error: ConnectError): void;
}

/** What this server offers to clients beyond the original's protocol. */
const offered: readonly Feature[] = ["early-data", "half-close"];

/** The gRPC frontend: each call of ProxyService carries one tunnel. */
export class ProxyService {
  readonly #pool: BackendPool;
  readonly #admission: Admission;
  readonly #audit: AuditTrail | undefined;
  readonly #events: ServerEvents;
  readonly #clock: Clock;
  readonly #streams = new Set<ProxyStream>();

  constructor(pool: BackendPool, admission: Admission, events: ServerEvents, clock: Clock, audit?: AuditTrail) {
    this.#pool = pool;
    this.#admission = admission;
    this.#audit = audit;
    this.#events = events;
    this.#clock = clock;
  }

  handle(call: ProxyCall): void {
    const refusal = this.#admission.refusal(call.peer);
    if (refusal !== undefined) {
      this.#audit?.clientRefused(call.peer, "grpc", undefined, refusal.rawMessage);
      return call.refuse(refusal);
    }
    const asked = parseFeatures(call.metadata(metadataKeys.features)[0]);
    const features = new Set(offered.filter((feature) => asked.has(feature)));
    const accepted = call.accept(asked.size === 0 ? {} : { [metadataKeys.features]: formatFeatures(features) });
    const stream = new ProxyStream(accepted, call.peer, features, {
      pool: this.#pool,
      clock: this.#clock,
      traceparent: this.#pool.traces ? call.metadata(traceparentKey)[0] : undefined,
      onGone: (end) => {
        this.#streams.delete(stream);
        if (end.kind === "ended") return;
        this.#events.streamFailed("from_client", receiptCode(end.error), "Unknown");
      },
    });
    this.#streams.add(stream);
    stream.serve();
  }

  /** Client streams open now. */
  get callCount(): number {
    return this.#streams.size;
  }

  /** Client streams whose reading is paused now. */
  get heldClients(): number {
    let held = 0;
    for (const stream of this.#streams) if (stream.paused) held++;
    return held;
  }
}
