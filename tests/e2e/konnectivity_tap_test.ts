import assert from "node:assert/strict";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createServer } from "node:net";
import { serveHttp } from "../../src/net/pages/http_server.ts";
import { serverAdminApp } from "../../src/ops/admin.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { eventHub } from "../support/memory/watched_hub.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { konnectivityLauncher, startKonnectivity } from "../support/processes/konnectivity.ts";
import { Launched } from "../support/processes/launched.ts";
import type { Program } from "../support/processes/processes.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { listening } from "../support/in_process/listening.ts";
import { freePort } from "../support/processes/free_port.ts";
import { konnectivityHere } from "../support/in_process/konnectivity_here.ts";

/** Waits until a program has written something that it had not written before. */
function shows(program: Program, what: RegExp, from = 0): Promise<unknown> {
  return until(`it shows ${what}`, () => {
    const found = what.test(program.log.slice(from));
    if (!found) assert.equal(program.status, undefined, program.log);
    return found;
  });
}

leakTest(
  "tap shows the same tunnel at the server and at the agent, goes on after a restart, and ends at once",
  async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start("grpc-tls", {
      serverFlags: ["--server-id=tapped-server"],
      agentFlags: ["--agent-id=tapped-agent", "--sync-interval=100ms", "--sync-interval-cap=200ms"],
    });
    const admin = `127.0.0.1:${launched.server.adminPort}`;
    const server = await startKonnectivity(["tap", "--timeout=2m", "--admin", admin]);
    const json = await startKonnectivity([
      "tap",
      "--timeout=2m",
      "--admin",
      admin,
      "-o",
      "json",
      "--type=dial,tunnel-closed",
    ]);
    const failed = await startKonnectivity([
      "tap",
      "--timeout=2m",
      "--admin",
      admin,
      "--outcome=failed",
      "--agent=tapped-agent",
    ]);
    const agent = await startKonnectivity(["tap", "--timeout=2m", "--admin", `127.0.0.1:${launched.agent.adminPort}`], {
      LC_ALL: "C",
    });
    for (const each of [server, failed, agent]) {
      await shows(each, /^[\d:.]{12} hello {2}proxy-\w+ tapped-\w+, version \d+\.\d+\.\d+, ready$/m);
    }
    await shows(json, /"type":"hello"/);

    const client = await launched.client();
    const open = new Conversation(await client.dial(echo.address));
    assert.equal(await open.ask("hello"), "hello");
    await assert.rejects(client.dial("127.0.0.1:1"));
    await open.tunnel.close();
    await shows(
      server,
      new RegExp(`^[\\d:.]{12} dial {3}test client +${echo.address} +tapped-agent +[\\d.]+m?s ok$`, "m"),
    );
    await shows(server, /^[\d:.]{12} dial .* 127\.0\.0\.1:1 +tapped-agent .*s failed {2}error_response: .*refused/m);
    await shows(
      server,
      new RegExp(`^[\\d:.]{12} closed test client +${echo.address} +tapped-agent .* {3}5B {4}5B$`, "m"),
    );
    await shows(agent, new RegExp(`^[\\d:.]{12} dial {3}${echo.address} +tapped-server +[\\d.]+m?s ok$`, "m"));
    await shows(agent, new RegExp(`^[\\d:.]{12} closed ${echo.address} +tapped-server .* {3}5B {4}5B$`, "m"));
    await shows(failed, /^[\d:.]{12} dial .* 127\.0\.0\.1:1 .* failed/m);
    assert.doesNotMatch(failed.log, /closed| ok$/m);
    await shows(json, /tunnel-closed/);
    const events = json.log.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(new Set(events.map(({ type }) => type)), new Set(["hello", "dial", "tunnel-closed"]));
    await client[Symbol.asyncDispose]();

    const before = [server.log.length, json.log.length] as const;
    await launched.kill(launched.server);
    await shows(server, /is tried again each second/, before[0]);
    await launched.startServer();
    await launched.ready();
    await shows(server, /^[\d:.]{12} hello {2}proxy-server tapped-server/m, before[0]);
    await shows(json, /"type":"hello"/, before[1]);
    await shows(agent, /^[\d:.]{12} gone +127\.0\.0\.1:\d+ +tapped-server .* {2}lost/m);
    await shows(agent, /^[\d:.]{12} linked +127\.0\.0\.1:\d+ +tapped-server +direct$/m);
    const notes = server.log.slice(before[0]).split("\n").filter((line) => line.includes("tried again"));
    assert.match(notes[0] ?? "", /^127\.0\.0\.1:\d+ has broken off its answer; it is tried again each second/);
    assert.deepEqual(notes, [...new Set(notes)]);

    server.signal("SIGINT");
    json.signal("SIGTERM");
    for (const each of [server, json]) assert.equal((await each.ended).code, 0, each.log);
    for (const each of [server, json, failed, agent]) assert.equal((await each.stop()).code, 0, each.log);
  },
);

leakTest("tap --once ends with the program: with 0 where it ends in order, with 1 where it is killed", async () => {
  await using launched = await Launched.start("connect-uds");
  const args = (port: number) => ["tap", "--once", "--timeout=2m", "--admin", `127.0.0.1:${port}`];
  const server = await startKonnectivity(args(launched.server.adminPort));
  const agent = await startKonnectivity(args(launched.agent.adminPort));
  await shows(server, /hello/);
  await shows(agent, /hello/);
  await launched.kill(launched.server);
  assert.equal((await server.ended).code, 1, server.log);
  await shows(server, /^Error: 127\.0\.0\.1:\d+ has broken off its answer: the program was killed/m);
  const { program } = launched.agent;
  program.signal("SIGTERM");
  assert.equal((await agent.ended).code, 0, agent.log);
  await shows(agent, /has ended, or ended this watch$/m);
  await server.stop();
  await agent.stop();
  await launched.kill(launched.agent);
});

leakTest("tap ends in order when its reader has read enough, and cuts nothing where there is no terminal", async () => {
  const hub = eventHub({ clock: systemClock });
  const app = serverAdminApp({
    metrics: { text: () => Promise.resolve(""), contentType: "text/plain" },
    status: () => Promise.resolve("{}"),
    events: hub,
    profiling: undefined,
  });
  await using served = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
  const admin = `127.0.0.1:${served.port}`;
  const launcher = await konnectivityLauncher();
  const publish = () =>
    hub.publish({
      type: "dial",
      time: new Date().toISOString(),
      agent: "agent-\x1b[2J-with-a-very-long-name-that-is-longer-than-its-column",
      client: { name: "", address: "127.0.0.1:9" },
      destination: "destination.example:10250",
      outcome: "failed",
      ...{ ms: 3, reason: "error_response", message: "dial tcp: connection refused" },
    });
  // The publisher goes on until the reader has gone.
  const publishing = setInterval(publish, 20);
  try {
    const script = `"$0" tap --timeout=2m --admin ${admin} | head -4; echo "\${PIPESTATUS[*]}"`;
    const piped = await new Deno.Command("bash", {
      args: ["-c", script, launcher],
      env: { LC_ALL: "C.UTF-8", TERM: "xterm" },
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(piped.stdout).trimEnd().split("\n");
    assert.equal(new TextDecoder().decode(piped.stderr), "");
    assert.match(lines[0] ?? "", /^TIME UTC +EVENT +WHO +ADDRESS +AGENT +RESULT$/);
    assert.match(
      lines[2] ?? "",
      /^\S+ dial {3}127\.0\.0\.1:9 +destination\.example:10250 +agent-\\x1b\[2J-with-a-very-long-name-that-is-longer-than-its-column +3ms failed {2}error_response: dial tcp: connection refused$/,
    );
    assert.equal(lines.at(-1), "0 0");
  } finally {
    clearInterval(publishing);
    hub.close();
  }
});

leakTest("tap says of what has no events what it is, and what to do", async () => {
  await using launched = await Launched.start("connect-tls");
  const { server, agent } = launched;
  const says = async (port: number, what: RegExp, ...flags: string[]) => {
    const { code, stdout, stderr } = await konnectivityHere(["tap", "--admin", `127.0.0.1:${port}`, ...flags]);
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
