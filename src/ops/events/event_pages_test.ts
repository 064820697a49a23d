import assert from "node:assert/strict";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { eventHub, eventsIn } from "../../../tests/support/memory/watched_hub.ts";
import { type HttpServer, serveHttp } from "../../net/pages/http_server.ts";
import type { Clock } from "../../runtime/clock.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { plainApp } from "../http_answers.ts";
import { type EventHub, type EventLimits, eventLimits } from "./event_hub.ts";
import { addEvents } from "./event_pages.ts";
import type { ProgramEvent } from "./program_event.ts";

interface Served extends AsyncDisposable {
  readonly hub: EventHub;
  readonly server: HttpServer;
}

/** A hub behind a real port. @param clock whose time the hub lives in */
async function served(limits: Partial<EventLimits> = {}, clock: Clock = systemClock): Promise<Served> {
  const hub = eventHub({ clock, limits: { ...eventLimits, ...limits } });
  const app = plainApp();
  addEvents(app, hub);
  const server = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
  return {
    hub,
    server,
    async [Symbol.asyncDispose]() {
      hub.close();
      await server.close();
    },
  };
}

/** What a connection has been sent, in text, and whether it is closed. */
interface RawClient {
  readonly socket: Socket;
  readonly text: string;
  readonly closed: boolean;
}

/** Sends a request over a connection of its own. */
function sends(port: number, head: string): RawClient {
  const socket = connect(port, "127.0.0.1", () => socket.write(`${head}\r\n\r\n`));
  let [text, closed] = ["", false];
  socket.setEncoding("utf8").on("data", (piece: string) => text += piece);
  socket.on("error", () => {}).on("close", () => closed = true);
  return {
    socket,
    get text() {
      return text;
    },
    get closed() {
      return closed;
    },
  };
}

/** Watches as a program does that reads on and on. */
function watches(port: number): Promise<{ readonly text: string; leave(): void }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path: "/events", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => text += piece).on("error", () => {});
      resolve({
        get text() {
          return text;
        },
        leave: () => void sent.destroy(),
      });
    });
    sent.on("error", reject).end();
  });
}

const get = "GET /events HTTP/1.1\r\nHost: localhost";

function dial(number: number): ProgramEvent {
  // Long, so that the kernel's buffers are soon full.
  return { type: "dial", time: "", agent: "x".repeat(8_000), number } as ProgramEvent;
}

leakTest(
  "a watch is an endless answer of server-sent events, which ends in order with the program and holds it up no moment",
  async () => {
    await using world = await served();
    const { hub, server } = world;
    const client = sends(server.port, get);
    await until("the hello is here", () => client.text.includes('"type":"hello"'));
    const head = client.text.split("\r\n\r\n")[0]?.toLowerCase() ?? "";
    assert.match(head, /^http\/1\.1 200 ok\r\n/);
    for (
      const line of [
        "content-type: text/event-stream; charset=utf-8",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
      ]
    ) assert.ok(head.includes(line), head);
    hub.publish(dial(1));
    await until("the event is here", () => client.text.includes('"number":1'));
    hub.publish(dial(2));
    hub.close();
    // It would wait for an hour where a watch were in its way.
    await server.close(3_600_000);
    await until("the connection is closed", () => client.closed);
    assert.ok(client.text.includes('"number":2'), "what waited came before the end");
    assert.match(client.text, /\r\n0\r\n\r\n$/, "the end is in order");
  },
);

leakTest(
  "a reader that never reads makes the program hold a bounded amount, and is ended; its neighbour gets everything",
  async () => {
    const clock = new VirtualClock();
    await using world = await served({}, clock);
    const { hub, server } = world;
    const [lazy, eager] = [sends(server.port, get), await watches(server.port)];
    await until("both watch", () => hub.size === 2 && lazy.text !== "" && eager.text !== "");
    lazy.socket.pause();
    let made = 0;
    const caughtUp = () => eager.text.endsWith(`"number":${made}}\n\n`);
    while (hub.size === 2) {
      // As fast as the eager one reads, and less at once than may wait for it. First the kernel's buffers are filled.
      for (let at = 0; at < 40; at++) hub.publish(dial(++made));
      clock.advance(eventLimits.stalledMs / 10);
      await until("the eager one has what was made", caughtUp);
    }
    await until("the eager one has the last", caughtUp);
    const [, ...events] = eventsIn(eager.text);
    assert.deepEqual(events.map(({ event }) => event["number"]), Array.from({ length: made }, (_, at) => at + 1));
    lazy.socket.resume();
    await until("its connection is closed", () => lazy.closed);
    assert.ok(!lazy.text.endsWith("0\r\n\r\n"), "an end that is not in order can be told from one that is");
    eager.leave();
    await until("the other has left", () => hub.size === 0);
  },
);

leakTest("a reader that leaves makes room, and beyond so many there is none", async () => {
  await using world = await served({ watches: 2 });
  const { hub, server } = world;
  const [first, second] = [sends(server.port, get), sends(server.port, get)];
  await until("both watch", () => hub.size === 2);
  const third = sends(server.port, `${get}\r\nConnection: close`);
  await until("it is refused", () => third.closed);
  assert.match(third.text, /^HTTP\/1\.1 503 /);
  assert.match(third.text.toLowerCase(), /\r\nretry-after: 10\r\n/);
  first.socket.destroy();
  await until("the first has left", () => hub.size === 1);
  const fourth = sends(server.port, get);
  await until("there is room", () => fourth.text.includes("hello"));
  for (const { socket } of [second, fourth]) socket.destroy();
  await until("all have left", () => hub.size === 0);
});

/** The status of an answer, and its body's beginning. */
function asked(
  { port }: HttpServer,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = "",
): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => text += piece);
      response.once("close", () => resolve({ status: response.statusCode, text }));
    });
    sent.once("error", reject).end(body);
  });
}

leakTest("what is no watch is refused, with the reason, and takes no place", async () => {
  await using world = await served();
  const { hub, server } = world;
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>, string, number, RegExp])[] = [
    ["POST", "/events", {}, "", 405, /only GET/],
    ["PUT", "/events", {}, "x", 405, /only GET/],
    ["GET", "/events?x=1", {}, "", 400, /unknown parameter "x"; there are type, agent/],
    ["GET", "/events?type=nothing", {}, "", 400, /type is to be one of/],
    ["GET", "/events?outcome=x", {}, "", 400, /outcome is to be ok or failed/],
    ["GET", "/events", { host: "rebound.example" }, "", 403, /Host is to be an address or localhost/],
    ["GET", "/events", { "sec-fetch-site": "cross-site" }, "", 403, /another site/],
    ["GET", "/events", { "content-length": "6" }, "a body", 400, /no body/],
    ["GET", "/events", { "transfer-encoding": "chunked" }, "a body", 400, /no body/],
    ["HEAD", "/events", {}, "", 200, /^$/],
    ["HEAD", "/events?x=1", {}, "", 400, /^$/],
  ];
  for (const [method, path, headers, body, status, text] of cases) {
    const answer = await asked(server, method, path, headers, body);
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.match(answer.text, text, `${method} ${path} ${JSON.stringify(headers)} ${body}`);
    assert.equal(hub.size, 0, `${method} ${path}`);
  }
  hub.close();
  assert.equal((await asked(server, "GET", "/events")).status, 503);
});

leakTest("a second request behind a watch ends it: nothing is answered behind an answer without an end", async () => {
  await using world = await served();
  const { hub, server } = world;
  const client = sends(server.port, get);
  await until("it watches", () => client.text.includes("hello"));
  client.socket.write(`${get}\r\n\r\n`);
  await until("it is over", () => client.closed && hub.size === 0);
});
