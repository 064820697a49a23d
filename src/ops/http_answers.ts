import { getLogger } from "@logtape/logtape";
import { type Context, Hono } from "hono";
import { reportFault } from "../faults/fault.ts";

const log = getLogger(["ops", "http"]);

/** Where `/metrics` takes its text from. */
export interface MetricsSource {
  text(): Promise<string>;
  readonly contentType: string;
}

/** Plain text as Go's servers send it. */
export function plainText(body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const bytes = new TextEncoder().encode(body);
  return new Response(bytes, {
    status,
    // The length too, because a HEAD request's answer has lost its body by the time the runtime would count it.
    headers: { "content-type": "text/plain; charset=utf-8", "content-length": String(bytes.length), ...headers },
  });
}

/** Refuses with a line of text, as Go's `http.Error`. */
export function refusal(line: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return plainText(`${line}\n`, status, { "x-content-type-options": "nosniff", ...headers });
}

/** An app whose answers to unknown paths and to failures are those of a plain server, not those of Hono. */
export function plainApp(): Hono {
  const app = new Hono();
  app.notFound(() => refusal("404 page not found", 404));
  app.onError((error) => internalError(error));
  return app;
}

/** Answers a request whose handler failed. */
export function internalError(error: unknown): Response {
  // What has a code is a failure that somebody named, such as that of a worker that does not answer.
  if (Reflect.get(Object(error), "code") === undefined) reportFault("request", error);
  else log.error("an HTTP request failed: {error}", { error });
  return refusal("500 internal server error", 500);
}

/** Sends the client elsewhere. Not to be cached: the ports of a program can change with its next start. */
export function movedPermanently(context: Context, location: string): Response {
  const headers = { location, "cache-control": "no-store" };
  if (context.req.method !== "GET") return new Response(null, { status: 301, headers });
  const link = location.replaceAll("&", "&amp;").replaceAll('"', "&#34;").replaceAll("<", "&lt;").replaceAll(
    ">",
    "&gt;",
  );
  return new Response(`<a href="${link}">Moved Permanently</a>.\n\n`, {
    status: 301,
    headers: { ...headers, "content-type": "text/html; charset=utf-8" },
  });
}

/** Answers a scrape; compressed where the client takes that, as Prometheus does. */
export async function metricsAnswer(context: Context, metrics: MetricsSource): Promise<Response> {
  const headers = new Headers({ "content-type": metrics.contentType, vary: "accept-encoding" });
  const text = await metrics.text();
  if (context.req.method === "HEAD" || !takesGzip(context.req.header("accept-encoding"))) {
    return new Response(text, { headers });
  }
  headers.set("content-encoding", "gzip");
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")), { headers });
}

function takesGzip(acceptEncoding = ""): boolean {
  return acceptEncoding.split(",").some((coding) => {
    const [name = "", quality = ""] = coding.toLowerCase().split(";").map((part) => part.trim());
    return name === "gzip" && !/^q=0(\.0*)?$/.test(quality);
  });
}
