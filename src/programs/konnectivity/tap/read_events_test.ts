import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { AdminError } from "../status/admin_client.ts";
import { type EventRequest, readEvents, WatchRefused } from "./read_events.ts";

const hello = { type: "hello", version: 1, program: { name: "proxy-server", version: "v9" } };
const request: EventRequest = { types: [], filters: {}, timeoutMs: 30_000 };

function sse(...events: readonly object[]): string {
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
}

/** An admin port that answers so, for as long as `use` takes. */
async function adminPort(
  answer: (response: ServerResponse, path: string) => void,
  use: (admin: URL) => Promise<void>,
): Promise<void> {
  const server = createServer(({ url = "" }, response) => answer(response, url));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  try {
    await use(new URL(`http://127.0.0.1:${address.port}`));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** An admin port that answers with events, or with another status. */
function answering(body: string, status = 200, contentType = "text/event-stream") {
  return (response: ServerResponse) => {
    response.writeHead(status, { "content-type": contentType });
    response.end(body);
  };
}

leakTest("events come in portions, the hello first, to the end that the program makes", async () => {
  const asked: string[] = [];
  const dial = { type: "dial", destination: "web:80" };
  await adminPort((response, path) => {
    asked.push(path);
    answering(sse(hello, dial) + ": still there\n\n")(response);
  }, async (admin) => {
    const query = { ...request, types: ["dial", "lost"], filters: { agent: "a b" } };
    const { program, portions } = await readEvents(admin, query, new AbortController().signal);
    const events = [];
    for await (const portion of portions) events.push(...portion.map(({ event }) => event));
    assert.equal(program, "proxy-server");
    assert.deepEqual(events, [hello, dial]);
  });
  assert.deepEqual(asked, ["/events?type=dial%2Clost&agent=a+b"]);
});

/** Answers that are no events, why, and in which words. */
const refusals:
  readonly (readonly [what: string, answer: Parameters<typeof adminPort>[0], why: string, text: RegExp])[] = [
    [
      "an unknown filter",
      answering("unknown parameter", 400),
      "refused",
      /refuses what is asked for: unknown parameter; --agent/,
    ],
    ["another host", answering("host", 403), "refused", /refuses the host 127\.0\.0\.1/],
    ["no such page", answering("", 404), "refused", /has no \/events: it is a health port/],
    ["too many readers", answering("as many watches as there may be", 503), "full", /as many readers of its events/],
    ["a program that ends", answering("shutting down\nmore", 503), "closing", /gives no events now: shutting down$/],
    ["another status", answering("teapot", 418), "refused", /answers with status 418 where 200 is expected: teapot/],
    ["a page", answering("<html>", 200, "text/html"), "refused", /are no events \(its content type is text\/html\)/],
    ["nothing", answering(""), "closing", /has ended its events before the first one/],
    ["no JSON", answering("data: x\n\n"), "refused", /one of them is no JSON/],
    ["no hello", answering(sse({ type: "dial" })), "refused", /the first one is no hello/],
    [
      "a later form",
      answering(sse({ ...hello, version: 2 })),
      "refused",
      /has events of version 2, .* the one of proxy-server v9$/,
    ],
    [
      "a form that is no number",
      answering(sse({ ...hello, version: { toString: 1, valueOf: 1 } })),
      "refused",
      /has events of version \{"toString":1,"valueOf":1\}/,
    ],
  ];
for (const [what, answer, why, text] of refusals) {
  leakTest(`${what} in place of events is refused, with what to do`, async () => {
    await adminPort(answer, async (admin) => {
      await assert.rejects(readEvents(admin, request, new AbortController().signal), (error) => {
        assert.ok(error instanceof WatchRefused, String(error));
        assert.equal(error.why, why);
        assert.match(error.message, text);
        return true;
      });
    });
  });
}

leakTest("who is cut off behind the hello hears of it, and whoever stops has the connection closed", async () => {
  let closed = Promise.withResolvers<void>();
  let cut = false;
  await adminPort((response) => {
    response.on("close", () => closed.resolve());
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(sse(hello));
    if (cut) response.write(sse({ type: "dial" }), () => response.destroy());
  }, async (admin) => {
    const first = await readEvents(admin, request, new AbortController().signal);
    for await (const [event] of first.portions) {
      assert.equal(event?.event.type, "hello");
      break;
    }
    await closed.promise;
    closed = Promise.withResolvers();
    cut = true;
    const second = await readEvents(admin, request, new AbortController().signal);
    await assert.rejects(Array.fromAsync(second.portions), (error) => {
      assert.ok(error instanceof AdminError);
      assert.match(error.message, /has broken off its answer/);
      return true;
    });
  });
});
