import type { Hono } from "hono";
import { refusal } from "../http_answers.ts";
import { ownHost } from "../status/status_pages.ts";
import { StatusQueryError } from "../status/status_query.ts";
import type { EventHub } from "./event_hub.ts";
import { type EventQuery, parseEventQuery } from "./event_query.ts";

/** When a reader that found no room may try again, in seconds. */
const retrySeconds = 10;

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // Asks a proxy on the way, such as nginx, to pass on each event when it comes.
  "x-accel-buffering": "no",
};

/**
 * Adds `GET /events`: server-sent events, for as long as they are read. It is read-only, and refuses whom `/status` refuses;
 * also a page of another site, which could read nothing of it and would take the place of somebody who can.
 */
export function addEvents(app: Hono, hub: EventHub): void {
  app.use("/events", ownHost);
  app.on(["GET", "HEAD"], "/events", async (context) => {
    const { req } = context;
    if (isOtherSite(req.header("sec-fetch-site"))) {
      return refusal("403 Forbidden: a page of another site may not watch", 403);
    }
    // The answer to a request with a body is made whole before it is sent, and this one has no end.
    if (req.header("transfer-encoding") !== undefined || (req.header("content-length") ?? "0") !== "0") {
      return refusal("400 Bad Request: the request is to have no body", 400);
    }
    let query: EventQuery;
    try {
      query = parseEventQuery(new URL(req.url).searchParams, hub.vocabulary);
    } catch (error) {
      if (!(error instanceof StatusQueryError)) throw error;
      return refusal(`400 Bad Request: ${error.message}`, 400);
    }
    if (req.method === "HEAD") return new Response(null, { headers });
    const watch = hub.watch(query);
    if (watch === "closed") return refusal("503 Service Unavailable: the program is shutting down", 503);
    if (watch === "full") {
      return refusal("503 Service Unavailable: there are as many watches of events as there may be", 503, {
        "retry-after": String(retrySeconds),
      });
    }
    await hub.heard;
    return new Response(watch.body, { headers });
  });
  app.all("/events", () => refusal("405 Method Not Allowed: only GET", 405, { allow: "GET, HEAD" }));
}

/** Browsers say from where a request comes, and pages cannot change it; other programs say nothing. */
function isOtherSite(fetchSite = "none"): boolean {
  return fetchSite !== "none" && fetchSite !== "same-origin";
}
