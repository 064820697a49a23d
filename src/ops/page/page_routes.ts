import type { Context, Hono } from "hono";
import { refusal } from "../http_answers.ts";
import type { AgentStatus } from "../status/agent_status.ts";
import type { ServerStatus } from "../status/server_status.ts";
import { ownHost, type StatusSource } from "../status/status_pages.ts";
import { parseStatusQuery } from "../status/status_query.ts";

/**
 * What browsers may do with the page: everything comes from this port, no script is made of text (so that a text which a
 * peer chose stays one, even where this page has a fault), and no other site may show it.
 */
const policy = [
  "default-src 'none'",
  ...["script", "style", "img", "connect"].map((kind) => `${kind}-src 'self'`),
  ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const headers = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * Adds the page for people: `GET /`, and below `/page/` what it is made of. It is read-only, needs nothing of other hosts,
 * and refuses whom `/status` refuses.
 */
export function addPage(app: Hono, status: StatusSource): void {
  app.use("/", ownHost);
  app.on(["GET", "HEAD"], "/", async () => {
    const { pageText, summaryRows } = await content();
    const rows = `${summaryRows}`;
    const query = parseStatusQuery(new URLSearchParams({ agents: rows, links: rows, tunnels: rows, dials: "100" }));
    const shown = JSON.parse(await status(query)) as ServerStatus | AgentStatus;
    return answer(new TextEncoder().encode(pageText(shown)), "text/html; charset=utf-8", {
      "cache-control": "no-store",
    });
  });
  app.all("/", refuseMethod);
  app.use("/page/*", ownHost);
  app.on(["GET", "HEAD"], "/page/:folder/:name", async (context) => {
    const { assets } = await content();
    const asset = assets().get(`${context.req.param("folder")}/${context.req.param("name")}`);
    if (asset === undefined) return context.notFound();
    // Asked about each time, so that the page of a new version never runs scripts of the one before.
    const kept = { "cache-control": "no-cache", etag: asset.etag };
    if (context.req.header("if-none-match") === asset.etag) return new Response(null, { status: 304, headers: kept });
    return answer(asset.bytes, asset.contentType, kept);
  });
  app.all("/page/:folder/:name", refuseMethod);
}

async function content() {
  return await import("./page_content.ts");
}

function answer(bytes: Uint8Array<ArrayBuffer>, contentType: string, more: Readonly<Record<string, string>>): Response {
  return new Response(bytes, {
    headers: { ...headers, ...more, "content-type": contentType, "content-length": String(bytes.length) },
  });
}

function refuseMethod(_context: Context): Response {
  return refusal("405 Method Not Allowed: only GET", 405, { allow: "GET, HEAD" });
}
