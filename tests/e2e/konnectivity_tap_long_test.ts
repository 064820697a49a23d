import assert from "node:assert/strict";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createServer } from "node:net";
import { serveHttp } from "../../src/net/pages/http_server.ts";
import { serverAdminApp } from "../../src/ops/admin.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { eventHub } from "../support/memory/watched_hub.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { listening } from "../support/in_process/listening.ts";
import { freePort } from "../support/processes/free_port.ts";
import { konnectivity, konnectivityLauncher } from "../support/processes/konnectivity.ts";
import { Launched } from "../support/processes/launched.ts";

leakTest(
  "a tap whose reader stands still is told what it lost, to the last event, and still ends at SIGINT",
  async () => {
    const hub = eventHub({ clock: systemClock });
    const app = serverAdminApp({
      metrics: { text: () => Promise.resolve(""), contentType: "text/plain" },
      status: () => Promise.resolve("{}"),
      events: hub,
      profiling: undefined,
    });
    await using served = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
    const tap = async () =>
      new Deno.Command(await konnectivityLauncher(), {
        args: ["tap", "--once", "--timeout=2m", "-o", "json", "--admin", `127.0.0.1:${served.port}`],
        env: { LC_ALL: "C.UTF-8" },
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    const slow = await tap();
    const held = await tap();
    await until("both watch", () => hub.size === 2);
    const time = new Date().toISOString();
    const published = 120_000;
    for (let at = 0; at < published; at++) {
      hub.publish({ type: "agent-connected", time, agent: `agent-${at}`, ...{ name: "n".repeat(100) } });
      // What is read goes out between them.
      if (at % 2_000 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    held.kill("SIGINT");
    assert.equal((await held.status).code, 0);
    await held.stdout.cancel();

    let shown = 0;
    let lost = 0;
    let text = "";
    // Where the sum is another one, it ends as well.
    const deadline = setTimeout(() => hub.close(), 120_000);
    for await (const piece of slow.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const event = JSON.parse(line);
        if (event.type === "lost") lost += event.count;
        else if (event.type === "agent-connected") shown++;
      }
      // The end of the program comes behind all events.
      if (shown + lost === published) hub.close();
    }
    clearTimeout(deadline);
    assert.equal(shown + lost, published);
    assert.ok(lost > 0 && shown > 0, `${lost} lost, ${shown} shown`);
    assert.equal((await slow.status).code, 0);
  },
);

leakTest("tap says of what has no events what it is, and what to do", async () => {
  await using launched = await Launched.start("connect-tls");
  const { server, agent } = launched;
  const says = async (port: number, what: RegExp, ...flags: string[]) => {
    const { code, stdout, stderr } = await konnectivity(["tap", "--admin", `127.0.0.1:${port}`, ...flags]);
    assert.match(stderr, what);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.deepEqual([code, stdout], [1, ""]);
  };
  await says(await freePort(), /^Error: nothing listens at 127\.0\.0\.1:\d+: name the admin port/);
  await says(server.healthPort, /has no \/events: it is a health port, or the program is the original's or an older/);
  await says(server.agentPort, /speaks no HTTP, so it is no admin port|answers with status 4\d\d/);
  await says(server.adminPort, /refuses what is asked for: .*; --agent and --client are of a server/, "--server=s");
  await says(agent.adminPort, /refuses what is asked for: .*; --agent and --client are of a server/, "--client=c");

  const readers: EventReader[] = [];
  for (let at = 0; at < 16; at++) readers.push(await EventReader.open(server.adminPort));
  await says(server.adminPort, /has as many readers of its events as it may have \(16\): end another/);
  for (const reader of readers) reader[Symbol.dispose]();

  let answer: (response: ServerResponse) => void = () => {};
  const fake = createHttpServer((_request, response) => answer(response));
  await using http = await listening(fake);
  await using silent = await listening(createServer((socket) => {
    socket.on("error", () => {}).resume();
  }));
  await says(silent.port, /has not answered within 0\.3 s/, "--timeout=300ms");
  const events = (...data: unknown[]) => (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream", connection: "close" });
    for (const each of data) response.write(`data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`);
    response.end();
  };
  const status = (code: number, body: string) => (response: ServerResponse) =>
    void response.writeHead(code, { connection: "close" }).end(body);
  const cases: readonly (readonly [typeof answer, RegExp])[] = [
    [status(200, "hello"), /are no events \(its content type is missing\)/],
    [status(403, "403 Forbidden: Host"), /refuses the host 127\.0\.0\.1: write its address, or localhost, in --admin/],
    [
      status(503, "503 Service Unavailable: the program is shutting down"),
      /gives no events now: 503 .*shutting down$/m,
    ],
    [status(500, "\x1b[2Jx"), /answers with status 500 where 200 is expected: \\x1b\[2Jx; is it an admin port\?/],
    [events(), /has ended its events before the first one/],
    [events("no json"), /are no events \(one of them is no JSON\)/],
    [events({ type: "dial" }), /are no events \(the first one is no hello/],
    [
      events({ type: "hello", version: 2, program: { name: "proxy-agent", version: "0.99.0" } }),
      /has events of version 2, and this konnectivity knows version 1: use the one of proxy-agent 0\.99\.0/,
    ],
  ];
  for (const [next, what] of cases) {
    answer = next;
    await says(http.port, what);
  }
});
