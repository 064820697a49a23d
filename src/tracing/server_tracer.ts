import type { Span } from "@opentelemetry/api";
import type { AgentInfo } from "../server/agents/agent_info.ts";
import type { DialFailure } from "../server/dial_outcome.ts";
import type { DialSpan, DialTracer, TracedClient } from "../server/dial_record.ts";
import type { DialTarget } from "../wire/packet.ts";
import { peerName } from "../wire/peer_identity.ts";
import { formatTraceparent } from "../wire/trace_context.ts";
import { DialSpans, endConnected, endFailed, shownText } from "./spans.ts";

/** Traces a server's dials: one span from the client's request to the outcome. */
export class ServerTracer implements DialTracer {
  readonly #spans: DialSpans;

  /** @param version of this program */
  constructor(version: string) {
    this.#spans = new DialSpans(version);
  }

  dial(id: bigint, { address }: DialTarget, { frontend, peer, traceparent }: TracedClient): DialSpan | undefined {
    const span = this.#spans.begin(traceparent, address, () => ({
      "konnectivity.tunnel.id": String(id),
      "konnectivity.frontend": frontend,
      "konnectivity.client.name": shownText(peerName(peer)),
    }));
    return span === undefined ? undefined : new ServerDialSpan(span);
  }
}

class ServerDialSpan implements DialSpan {
  readonly traceparent: string;
  readonly #span: Span;

  constructor(span: Span) {
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.#span = span;
    this.traceparent = formatTraceparent({ traceId, spanId, flags: traceFlags });
  }

  assigned({ agentId }: AgentInfo): void {
    this.#span.setAttribute("konnectivity.agent.id", shownText(agentId));
  }

  connected(resolved: string): void {
    endConnected(this.#span, resolved);
  }

  failed({ reason, message }: DialFailure): void {
    endFailed(this.#span, reason, message);
  }

  /** The span ends with the dial: a tunnel may live for weeks. */
  closed(): void {}
}
