import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { konnectivityHere } from "../support/in_process/konnectivity_here.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { listening } from "../support/in_process/listening.ts";
import { freePort } from "../support/processes/free_port.ts";
import { konnectivity, startKonnectivity } from "../support/processes/konnectivity.ts";
import { Launched } from "../support/processes/launched.ts";

leakTest("status shows a server and an agent as they are: linked, under a tunnel, and without each other", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-uds", {
    serverFlags: ["--server-id=seen-server"],
    agentFlags: ["--agent-id=seen-agent", "--agent-identifiers=default-route=true"],
  });
  const server = `127.0.0.1:${launched.server.adminPort}`;
  const agent = `http://localhost:${launched.agent.adminPort}`;
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");

  const ofServer = await konnectivity(["status", "--admin", server]);
  assert.equal(ofServer.stderr, "");
  assert.match(ofServer.stdout, /^Healthy {3}proxy-server seen-server +version \d+\.\d+\.\d+, up /);
  assert.match(ofServer.stdout, /^Healthy {3}│ {2}└─ seen-agent +.* 1 tunnel, .* default-route=true$/m);
  assert.match(
    ofServer.stdout,
    new RegExp(`^Healthy {3}│ {2}└─ ${echo.address} +from .* by agent seen-agent, open`, "m"),
  );
  assert.equal(ofServer.code, 0, ofServer.stdout);

  const ofAgent = await konnectivity(["status", "--admin", agent], { LC_ALL: "C" });
  assert.match(ofAgent.stdout, /^Healthy {3}proxy-agent seen-agent +version .* identifiers default-route=true$/m);
  assert.match(ofAgent.stdout, /^Healthy {3}\| {2}`- seen-server +direct to 127\.0\.0\.1:\d+ for .* 1 tunnel,/m);
  assert.equal(ofAgent.code, 0, ofAgent.stdout);

  const json = await konnectivity(["status", "--admin", server, "-o", "json", "--destination=nowhere"]);
  const answer = JSON.parse(json.stdout);
  assert.deepEqual([answer.version, answer.health, answer.status.server.id], [1, "Healthy", "seen-server"]);
  assert.deepEqual([answer.status.tunnels.total, answer.status.tunnels.items], [1, []]);

  await open.tunnel.close();
  await launched.kill(launched.agent);
  const alone = await until("the server has noticed", async () => {
    const shown = await konnectivity(["status", "--admin", server]);
    return shown.code === 2 ? shown : undefined;
  });
  assert.ok(alone !== undefined);
  assert.match(alone.stdout, /^Down {6}proxy-server seen-server +not ready: /);
  assert.match(alone.stdout, /^Down {6}├─ agents +none is connected, every dial fails\n +│ +→ look at an agent: /m);
  const gone = await konnectivity(["status", "--admin", agent]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^Error: nothing listens at localhost:\d+: name the admin port of a running program/);
});

leakTest(
  "status --watch shows it anew, says when the program is gone and when it is back, and ends at SIGINT",
  async () => {
    await using launched = await Launched.start("grpc-uds", { serverFlags: ["--server-id=watched"] });
    const args = ["status", "--watch", "--admin", `127.0.0.1:${launched.server.adminPort}`];
    const watching = await startKonnectivity(args);
    const shows = (what: RegExp, from: number) =>
      until(`it shows ${what}`, () => {
        assert.equal(watching.status, undefined, watching.log);
        return what.test(watching.log.slice(from));
      });
    await shows(/^Healthy {3}proxy-server watched[^]*^Healthy {3}proxy-server watched/m, 0);
    await launched.kill(launched.server);
    const killed = watching.log.length;
    await shows(/^Error: nothing listens at /m, killed);
    await launched.startServer();
    const back = watching.log.length;
    await launched.ready();
    await shows(/^Healthy {3}proxy-server watched/m, back);
    watching.signal("SIGINT");
    assert.equal((await watching.ended).code, 0, watching.log);
    await watching.stop();
  },
);

leakTest("status says of what is no admin port what it is, and what to do", async () => {
  await using launched = await Launched.start("connect-tls");
  const { server, port } = launched;
  const answers: Record<string, string> = { "/status": "" };
  let status = 200;
  const fake = createHttpServer((_request, response) => {
    response.writeHead(status, { connection: "close" }).end(answers["/status"]);
  });
  await using http = await listening(fake);
  await using talker = await listening(createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("SSH-2.0-x\r\n"));
  }));
  await using silent = await listening(createServer((socket) => {
    socket.on("error", () => {}).resume();
  }));
  const says = async (at: number, what: RegExp, ...flags: string[]) => {
    const { code, stderr } = await konnectivityHere(["status", "--admin", `127.0.0.1:${at}`, ...flags]);
    assert.match(stderr, what);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.equal(code, 1);
  };
  await says(await freePort(), /nothing listens at 127\.0\.0\.1:\d+: name the admin port/);
  await says(server.healthPort, /has no \/status: it is a health port, or the program is the original's/);
  await says(server.agentPort, /speaks no HTTP, so it is no admin port|answers with status 4\d\d/);
  await says(port, /speaks no HTTP, so it is no admin port|answers with status 4\d\d/);
  await says(talker.port, /speaks no HTTP, so it is no admin port/);
  await says(silent.port, /has not answered within 0\.3 s: the program is overloaded or stopped/, "--timeout=300ms");
  const cases: readonly (readonly [number, string, RegExp])[] = [
    [200, "hello", /is no status of a proxy-server or proxy-agent/],
    [200, "{}", /is no status of a proxy-server or proxy-agent/],
    [
      200,
      JSON.stringify({ version: 2, program: { name: "proxy-agent", version: "0.99.0" } }),
      /has a status of version 2, and this konnectivity knows version 1: use the one of proxy-agent 0\.99\.0/,
    ],
    [
      200,
      JSON.stringify({ version: 1, program: { name: "proxy-agent" }, links: {} }),
      /has no list of links/,
    ],
    [400, "400 Bad Request: unknown parameter", /refuses what is asked for: 400 Bad Request: unknown parameter; use a/],
    [403, "403 Forbidden: Host", /refuses the host 127\.0\.0\.1: write its address, or localhost/],
    [502, "\x1b[2Jgone", /answers with status 502 where 200 is expected: \\x1b\[2Jgone;/],
    [503, "busy\nmore", /answers with status 503 where 200 is expected: busy; is it an admin port\?/],
  ];
  for (const [code, body, what] of cases) {
    status = code;
    answers["/status"] = body;
    await says(http.port, what);
  }
});
