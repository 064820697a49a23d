import assert from "node:assert/strict";
import { request } from "node:http";
import { agentEvents } from "../../src/ops/events/agent_event.ts";
import { serverEvents } from "../../src/ops/events/server_event.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import type { SeenEvent } from "../support/memory/watched_hub.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { withWorkers } from "../support/processes/workers.ts";

/** The names of all members of an event, however deep. */
function membersOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...membersOf(member)]);
}

/** Fails where the reference does not name what events hold, or shows no example of one. */
async function assertDocumented(events: readonly SeenEvent[]): Promise<void> {
  const reference = await Deno.readTextFile(new URL("../../docs/reference.md", import.meta.url));
  const section = reference.split("\n## Events\n")[1]?.split("\n## ")[0] ?? "";
  const missing = [...new Set(events.flatMap(membersOf))].filter((name) => !section.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
  const types = new Set([...serverEvents.types, ...agentEvents.types, "hello", "lost"]);
  assert.deepEqual([...types].filter((type) => !section.includes(`{"type":"${type}","time":`)), []);
}

for (const kind of ["grpc-tls", "connect-uds"] as const) {
  leakTest(
    `${kind}: who watches server and agent sees the same dials and ends of tunnels, and who comes and goes`,
    async () => {
      await using echo = await echoDestination();
      await using launched = await Launched.start(kind, {
        serverFlags: ["--server-id=events-server"],
        agentFlags: ["--agent-id=events-agent", "--agent-identifiers=host=a.example&default-route=true"],
      });
      using server = await EventReader.open(launched.server.adminPort);
      using agent = await EventReader.open(launched.agent.adminPort);
      using failures = await EventReader.open(
        launched.server.adminPort,
        "?type=dial&outcome=failed&agent=events-agent",
      );
      const [serverHello, agentHello] = [server.events[0], agent.events[0]];
      assert.deepEqual([serverHello?.["version"], serverHello?.["id"], serverHello?.["ready"]], [
        1,
        "events-server",
        true,
      ]);
      assert.deepEqual([agentHello?.["version"], agentHello?.["id"], agentHello?.["ready"]], [1, "events-agent", true]);

      await using client = await launched.client();
      const open = new Conversation(await client.dial(echo.address));
      assert.equal(await open.ask("hello"), "hello");
      await assert.rejects(client.dial("127.0.0.1:1"));
      await open.tunnel.close();

      const closed = await server.seen("tunnel-closed");
      const { id } = closed;
      const dial = await server.seen("dial", (event) => event["id"] === id);
      for (const event of [dial, closed]) {
        assert.deepEqual([event["destination"], event["agent"]], [echo.address, "events-agent"]);
        const from = event["client"] as { frontend: string; name: string; address: string };
        assert.equal(from.frontend, kind === "grpc-tls" ? "grpc" : "http-connect");
        if (kind === "grpc-tls") assert.equal(from.name, "test client");
        assert.match(from.address, kind === "grpc-tls" ? /^127\.0\.0\.1:\d+$/ : /^unix$/);
      }
      assert.equal(dial["outcome"], "ok");
      assert.ok(Number(dial["ms"]) > 0);
      assert.deepEqual([closed["reason"], closed["bytes"]], ["closed", { sent: 5, received: 5 }]);
      // A client of HTTP CONNECT ends its direction, and the echo may be the first that closes.
      const initiators = kind === "grpc-tls" ? ["client"] : ["client", "agent"];
      assert.ok(initiators.includes(String(closed["initiator"])), String(closed["initiator"]));
      const atAgent = await agent.seen("tunnel-closed");
      assert.deepEqual([atAgent["id"], atAgent["server"], atAgent["destination"], atAgent["bytes"]], [
        id,
        "events-server",
        echo.address,
        { sent: 5, received: 5 },
      ]);
      await agent.seen("dial", (event) => event["id"] === id && event["outcome"] === "ok");

      const failed = await failures.seen("dial");
      assert.deepEqual([failed["destination"], failed["reason"]], ["127.0.0.1:1", "error_response"]);
      assert.match(String(failed["message"]), /refused/);
      await agent.seen("dial", (event) => event["id"] === failed["id"] && event["reason"] === "unknown");
      assert.deepEqual(failures.events.map(({ type }) => type), ["hello", "dial"], "it asked for nothing else");

      await launched.kill(launched.agent);
      const gone = await server.seen("agent-disconnected");
      assert.deepEqual([gone["agent"], gone["link"], gone["identifierCount"], gone["tunnels"]], [
        "events-agent",
        "direct",
        2,
        0,
      ]);
      assert.deepEqual(gone["bytes"], { sent: 5, received: 5 });
      await server.seen("readiness", ({ ready }) => ready === false);
      await launched.startAgent();
      await launched.ready();
      const came = await server.seen("agent-connected");
      assert.deepEqual([came["agent"], came["name"]], ["events-agent", "test client"]);
      await server.seen("readiness", ({ ready }) => ready === true);

      using second = await EventReader.open(launched.agent.adminPort);
      launched.server.program.signal("SIGTERM");
      assert.equal(await launched.end(launched.server), 0, launched.logs);
      await until("the watches of the server are over", () => server.end !== "open" && failures.end !== "open");
      assert.deepEqual([server.end, failures.end], ["in order", "in order"]);
      await server.seen("readiness", (event) => event["notReady"] === "proxy server is shutting down");
      const lost = await second.seen("link-closed");
      assert.deepEqual([lost["server"], lost["link"]], ["events-server", "direct"]);
      await second.seen("readiness", ({ ready }) => ready === false);
      await second.seen("link-failed");
      await launched.startServer();
      await second.seen("link-opened");
      await second.seen("readiness", ({ ready }) => ready === true);
      await assertDocumented([...server.events, ...agent.events, ...second.events]);
      launched.agent.program.signal("SIGTERM");
      assert.equal(await launched.end(launched.agent), 0, launched.logs);
      await until("the watch of the agent is over", () => second.end !== "open");
      assert.equal(second.end, "in order");
    },
  );
}

leakTest("the events of a command with workers are those of all of them, and each says whose it is", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", withWorkers());
  const { adminPort } = launched.server;
  for (const round of ["first", "second"]) {
    // The second finds workers that were told that nobody watches any more.
    using server = await EventReader.open(adminPort, "?type=dial,tunnel-closed");
    using readiness = await EventReader.open(adminPort, "?type=readiness");
    assert.deepEqual([server.events[0]?.["id"], server.events[0]?.["ready"]], ["many", true], round);
    await using client = await launched.client();
    const workers = new Set<unknown>();
    let opened = 0;
    // The system chooses whose each connection is.
    await until("both have had a tunnel", async () => {
      const conversation = new Conversation(await client.dial(echo.address));
      assert.equal(await conversation.ask("x"), "x");
      await conversation.tunnel.close();
      opened++;
      await until("its end is seen", () => server.all("tunnel-closed").length === opened);
      for (const { worker } of server.all("tunnel-closed")) workers.add(worker);
      return workers.size === 2;
    });
    assert.deepEqual([...workers].sort(), [0, 1]);
    for (const closed of server.all("tunnel-closed")) {
      const dial = await server.seen("dial", ({ id }) => id === closed["id"]);
      assert.equal(dial["worker"], closed["worker"]);
    }
    await assertDocumented(server.events);
    assert.deepEqual(readiness.events.map(({ type }) => type), ["hello"]);
    if (round === "first") continue;
    await launched.kill(launched.agent);
    const unready = await readiness.seen("readiness");
    assert.match(String(unready["notReady"]), /^worker \d: no connection to any proxy agent$/);
    launched.server.program.signal("SIGTERM");
    assert.equal(await launched.end(launched.server), 0, launched.logs);
    await until("the watches are over", () => server.end !== "open" && readiness.end !== "open");
    assert.deepEqual([server.end, readiness.end], ["in order", "in order"]);
  }
});

/** More than the kernel's buffers of a connection hold, on either side, with what waits in the program. */
async function beyondBuffers(): Promise<number> {
  // Least, default and most. The receiver's buffer grows only for who reads.
  const [, , sent] = (await Deno.readTextFile("/proc/sys/net/ipv4/tcp_wmem")).trim().split(/\s+/);
  return Number(sent) + 8 * 1024 * 1024;
}

leakTest(
  "a reader that stops for a while loses events, is told how many, and holds up neither dials nor other readers",
  async () => {
    await using launched = await Launched.start("grpc-uds");
    await launched.kill(launched.agent);
    const query = "?type=dial&outcome=failed";
    using slow = await EventReader.open(launched.server.adminPort, query);
    using fast = await EventReader.open(launched.server.adminPort, query);
    slow.pause();
    // There is no agent, so that a dial is quick; the destination makes its event long.
    const destination = `${"語".repeat(250)}:1`;
    await using client = await launched.client();
    let dials = 0;
    const dialSome = async () => {
      await Promise.all(Array.from({ length: 200 }, () => assert.rejects(client.dial(destination))));
      dials += 200;
      await until("the fast one has them", () => fast.all("dial").length === dials);
    };
    await dialSome();
    const eventBytes = new TextEncoder().encode(JSON.stringify(fast.all("dial")[0])).length;
    const enough = await beyondBuffers();
    while (dials * eventBytes < enough) await dialSome();
    assert.equal((await httpGet(launched.server.adminPort, "/status")).status, 200);
    slow.resume();
    await until("the slow one knows of all", () => {
      const lost = slow.all("lost").reduce((sum, { count }) => sum + Number(count), 0);
      return lost > 0 && slow.all("dial").length + lost === dials;
    });
    assert.deepEqual(fast.all("lost"), []);
    await dialSome();
    await until("it goes on", () => slow.all("dial").some(({ id }) => id === fast.all("dial").at(-1)?.["id"]));
  },
);

leakTest(
  "requests for events that ask for nothing known, or come from elsewhere, are refused on both ports",
  async () => {
    await using launched = await Launched.start("grpc-uds");
    /** Status of a request, and what it was told. */
    const asked = (port: number, method: string, query: string, host: string) =>
      new Promise<readonly [number | undefined, string]>((resolve, reject) => {
        const options = { host: "127.0.0.1", port, path: `/events${query}`, method, headers: { host }, agent: false };
        request(options, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (piece: string) => text += piece);
          response.once("close", () => resolve([response.statusCode, text]));
        }).once("error", reject).end();
      });
    for (const port of [launched.server.adminPort, launched.agent.adminPort]) {
      for (
        const query of ["?types=dial", "?type=hello", "?type=", "?outcome=perhaps", "?destination=a&destination=b"]
      ) {
        const [status, text] = await asked(port, "GET", query, "localhost");
        assert.equal(status, 400, query);
        assert.match(text, /^400 Bad Request: (unknown )?parameter/);
      }
      assert.equal((await asked(port, "POST", "", "localhost"))[0], 405);
      assert.equal((await asked(port, "HEAD", "", "localhost"))[0], 200);
      assert.equal((await asked(port, "GET", "", "rebound.example"))[0], 403);
    }
  },
);
