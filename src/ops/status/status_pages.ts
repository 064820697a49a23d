import type { Hono, MiddlewareHandler } from "hono";
import { parseIp } from "../../wire/destination/ip_address.ts";
import { bareHost } from "../../wire/destination/host_port.ts";
import { refusal } from "../http_answers.ts";
import { parseStatusQuery, type StatusQuery, StatusQueryError } from "./status_query.ts";

/** Reads the status of a program, as JSON. */
export type StatusSource = (query: StatusQuery) => Promise<string>;

/**
 * Adds `GET /status`. It is read-only; a request whose Host is a name of somebody else's is refused, since a page of a
 * stranger's site reaches this port that way through the browser of whoever it is open to (DNS rebinding).
 */
export function addStatus(app: Hono, source: StatusSource): void {
  app.use("/status", ownHost);
  app.on(["GET", "HEAD"], "/status", async (context) => {
    let query: StatusQuery;
    try {
      query = parseStatusQuery(new URL(context.req.url).searchParams);
    } catch (error) {
      if (!(error instanceof StatusQueryError)) throw error;
      return refusal(`400 Bad Request: ${error.message}`, 400);
    }
    return jsonAnswer(await source(query));
  });
  app.all("/status", () => refusal("405 Method Not Allowed: only GET", 405, { allow: "GET, HEAD" }));
}

/** Lets requests pass that were made to an address or to `localhost`. */
export const ownHost: MiddlewareHandler = async (context, next) => {
  const { url } = context.req;
  const hostname = URL.canParse(url) ? bareHost(new URL(url).hostname) : "";
  if (hostname.toLowerCase() === "localhost" || parseIp(hostname) !== undefined) return await next();
  return refusal("403 Forbidden: the request's Host is to be an address or localhost", 403);
};

function jsonAnswer(text: string): Response {
  const bytes = new TextEncoder().encode(`${text}\n`);
  return new Response(bytes, {
    headers: {
      "content-type": "application/json; charset=utf-8",
      "content-length": String(bytes.length),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
