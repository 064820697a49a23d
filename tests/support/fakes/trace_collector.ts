import { createServer } from "node:http";

/** A span as OTLP's JSON has it, as far as tests look at it. */
export interface CollectedSpan {
  /** `service.name` of whoever exported it. */
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty where it begins a trace. */
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** 2 is an error. */
  readonly status: number;
  readonly message: string;
}

/** An OTLP collector on 127.0.0.1 that takes `http/json` and keeps the spans. */
export interface TraceCollector extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
}

// deno-lint-ignore no-explicit-any -- OTLP's JSON, of which a part is looked at
type Json = any;

function attributesOf(list: Json): Record<string, string> {
  return Object.fromEntries(
    (list ?? []).map(({ key, value }: Json) => [key, String(Object.values(value ?? {})[0] ?? "")]),
  );
}

function spansOf(body: Json): CollectedSpan[] {
  return (body.resourceSpans ?? []).flatMap(({ resource, scopeSpans }: Json) => {
    const service = attributesOf(resource?.attributes)["service.name"] ?? "";
    return (scopeSpans ?? []).flatMap(({ spans }: Json) =>
      (spans ?? []).map((span: Json): CollectedSpan => ({
        service,
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        attributes: attributesOf(span.attributes),
        status: span.status?.code ?? 0,
        message: span.status?.message ?? "",
      }))
    );
  });
}

export async function traceCollector(): Promise<TraceCollector> {
  const spans: CollectedSpan[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => {
      if (request.url === "/v1/traces") spans.push(...spansOf(JSON.parse(text)));
      response.setHeader("content-type", "application/json");
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
