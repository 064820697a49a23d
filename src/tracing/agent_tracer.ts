import type { AgentDialSpan, AgentTracer } from "../agent/dial_span.ts";
import { DialSpans, endConnected, endFailed } from "./spans.ts";

/** Traces an agent's dials, those that a server's trace has a part of: one span while the destination is connected to. */
export class AgentDialTracer implements AgentTracer {
  readonly #spans: DialSpans;

  /** @param version of this program */
  constructor(version: string) {
    this.#spans = new DialSpans(version);
  }

  dial(traceparent: string, destination: string, tunnel: bigint): AgentDialSpan | undefined {
    const span = this.#spans.begin(traceparent, destination, () => ({ "konnectivity.tunnel.id": String(tunnel) }));
    if (span === undefined) return undefined;
    return {
      ended(result) {
        if (result.ok) endConnected(span, result.stream.remoteAddress ?? "");
        else endFailed(span, result.failure.reason, result.failure.message);
      },
    };
  }
}
