import assert from "node:assert/strict";
import { agentEvents } from "../../src/ops/events/agent_event.ts";
import { serverEvents } from "../../src/ops/events/server_event.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import type { SeenEvent } from "../support/memory/watched_hub.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { Launched } from "../support/processes/launched.ts";

/** The names of all members of an event, however deep. */
function membersOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...membersOf(member)]);
}

/** Fails where the reference does not name what events hold, or shows no example of one. */
export async function assertDocumented(events: readonly SeenEvent[]): Promise<void> {
  const reference = await Deno.readTextFile(new URL("../../docs/reference.md", import.meta.url));
  const section = reference.split("\n## Events\n")[1]?.split("\n## ")[0] ?? "";
  const missing = [...new Set(events.flatMap(membersOf))].filter((name) => !section.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
  const types = new Set([...serverEvents.types, ...agentEvents.types, "hello", "lost"]);
  assert.deepEqual([...types].filter((type) => !section.includes(`{"type":"${type}","time":`)), []);
}

/** Who watches server and agent sees the same dials and ends of tunnels, and who comes and goes. */
export async function watchesBoth(kind: "grpc-tls" | "connect-uds"): Promise<void> {
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
}
