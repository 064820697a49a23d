import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { parseHostPort } from "../wire/destination/host_port.ts";
import { parseTraceparent } from "../wire/trace_context.ts";

/** Both sides' spans have one name, by which they are found; attributes say to where. */
const spanName = "konnectivity.dial";

/** Characters of a text that a peer chose. */
const maxTextChars = 256;

const asServer: SpanOptions = { kind: SpanKind.SERVER };

/** Begins the spans of a program's dials, through the OpenTelemetry of the runtime, which samples and exports them. */
export class DialSpans {
  readonly #tracer: Tracer;

  /** @param version of this program */
  constructor(version: string) {
    this.#tracer = trace.getTracer("konnectivity", version);
  }

  /**
   * @param traceparent whose trace the dial is a part of; undefined, or none: it begins one
   * @param attributes asked for where the dial is recorded
   * @returns undefined where the sampler does not take it
   */
  begin(traceparent: string | undefined, destination: string, attributes: () => Attributes): Span | undefined {
    const parent = parseTraceparent(traceparent);
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, {
      traceId: parent.traceId,
      spanId: parent.spanId,
      traceFlags: parent.flags & TraceFlags.SAMPLED,
      isRemote: true,
    });
    // What it says of the dial follows once it is known to be recorded: at one in a hundred, most are not.
    const span = this.#tracer.startSpan(spanName, asServer, context);
    // The runtime's isRecording is true of every span. One that is not ended holds its memory until the heap is collected.
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) {
      span.end();
      return undefined;
    }
    span.setAttributes(attributes());
    const target = parseHostPort(destination);
    if (typeof target === "string") span.setAttribute("server.address", shownText(destination));
    else span.setAttributes({ "server.address": shownText(target.host), "server.port": target.port });
    return span;
  }
}

/** Ends the span of a dial that has opened a tunnel. @param resolved host:port that was connected to; empty: not known */
export function endConnected(span: Span, resolved: string): void {
  const peer = parseHostPort(resolved);
  if (typeof peer !== "string") {
    span.setAttributes({ "network.peer.address": peer.host, "network.peer.port": peer.port });
  }
  span.end();
}

/** Ends the span of a dial that has opened none. @param reason as the metric of failed dials labels it */
export function endFailed(span: Span, reason: string, message: string): void {
  span.setAttribute("error.type", reason);
  span.setStatus({ code: SpanStatusCode.ERROR, message: shownText(message) });
  span.end();
}

export function shownText(text: string): string {
  return text.length <= maxTextChars ? text : `${text.slice(0, maxTextChars).toWellFormed()}…`;
}
