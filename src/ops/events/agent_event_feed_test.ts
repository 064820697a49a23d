import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { LinkWorld } from "../../../tests/support/memory/link_world.ts";
import { type FakeServer, SetWorld } from "../../../tests/support/memory/set_world.ts";
import { eventHub, WatchReader } from "../../../tests/support/memory/watched_hub.ts";
import { createAgentMetrics } from "../../metrics/agent_metrics.ts";
import { reporting } from "../../programs/agent/agent_reports.ts";
import { closeDial, closeRequest, dialRequest } from "../../wire/packet.ts";
import { RecentFailures } from "../status/recent_failures.ts";
import { agentEvents } from "./agent_event.ts";
import { AgentEventFeed } from "./agent_event_feed.ts";

/**
 * What an agent's core reports to, with somebody who may watch.
 * @param now milliseconds of the agent's clock
 */
function watched(now: () => number, notReady: () => string | undefined = () => undefined) {
  const clock = new VirtualClock();
  const hub = eventHub({ clock, vocabulary: agentEvents, facts: { name: "proxy-agent", version: "v0", notReady } });
  const counted = createAgentMetrics(() => assert.fail("nobody scrapes"), { version: "v0" }).events;
  const events = reporting(counted, new RecentFailures(), hub, { now, timeOfDay: () => 0 });
  return { events, watch: () => WatchReader.of(hub) };
}

/** All events but the hello, without their times. */
async function read(reader: WatchReader): Promise<Record<string, unknown>[]> {
  while (reader.watch.queue.size > 0) await reader.piece();
  return reader.events.slice(1).map(({ time: _, ...event }) => event);
}

Deno.test("an agent's dials and the ends of its tunnels are events, those included that nobody waited for", async () => {
  const { events, watch } = watched(() => world.clock.now());
  const world: LinkWorld = new LinkWorld(["window"], { maxPendingDials: 1 }, events);
  const reader = watch();
  const { id, socket } = await world.tunnel(11n);
  world.server.stream.sendData(id, new TextEncoder().encode("hello"));
  await world.settle();
  socket.says("hi");
  await world.clock.run(2_000);
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  socket.closes();
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "b:1" }, 12n));
  await world.settle();
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "c:1" }, 13n));
  await world.settle();
  world.dials.at(-1)?.end({ ok: false, failure: { reason: "timeout", message: "i/o timeout" } });
  await world.settle();
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "d:1" }, 14n));
  await world.settle();
  world.server.stream.sendPacket(closeDial(14n));
  await world.settle();
  world.dials.at(-1)?.end({ ok: false, failure: { reason: "unknown", message: "aborted" } });
  await world.settle();
  const about = { server: "server-1", destination: "destination:80" };
  const failed = { type: "dial", server: "server-1", outcome: "failed", ms: 0 };
  assert.deepEqual(await read(reader), [
    { type: "dial", id: "11", ...about, outcome: "ok", ms: 0 },
    {
      type: "tunnel-closed",
      id: "11",
      ...about,
      seconds: 2,
      bytes: { sent: 5, received: 2 },
      reason: "closed",
      initiator: "client",
    },
    { ...failed, id: "13", destination: "c:1", reason: "too_many_dials", message: "agent has 1 dials in flight" },
    { ...failed, id: "12", destination: "b:1", reason: "timeout", message: "i/o timeout" },
    {
      ...failed,
      id: "14",
      destination: "d:1",
      reason: "given_up",
      message: "the client gave the dial up, or the link was lost",
    },
  ]);
  await reader.leave();
});

Deno.test("links that come, go, and fail are events, with the agent's readiness", async () => {
  const { events, watch } = watched(
    () => world.clock.now(),
    () => world.set.connections.size > 0 ? undefined : "no servers",
  );
  const world: SetWorld = new SetWorld({ hosts: ["a"] }, events);
  const reader = watch();
  const server: FakeServer = { serverId: "s-1", serverCount: 1, up: true };
  world.names.set("a", ["10.0.0.1"]);
  world.set.start();
  await world.run(100);
  world.place("10.0.0.1", server);
  world.place("a", server);
  await world.run(3_000);
  world.kill(server);
  await world.run(100);
  const seen = await read(reader);
  const [failure, opened, ready, lost, unready] = seen;
  assert.equal(failure?.["type"], "link-failed");
  assert.match(String(failure?.["message"]), /cannot connect/);
  const about = { server: "s-1", address: opened?.["address"], link: "grpc" };
  assert.deepEqual(opened, { type: "link-opened", ...about });
  assert.deepEqual(ready, { type: "readiness", ready: true });
  const { seconds, ...end } = lost ?? {};
  assert.ok(Number(seconds) > 0);
  assert.deepEqual(end, {
    type: "link-closed",
    ...about,
    bytes: { sent: 0, received: 0 },
    reason: "lost",
    message: "server died",
  });
  assert.deepEqual(unready, { type: "readiness", ready: false, notReady: "no servers" });
  world.set.close("over");
  await reader.leave();
});

Deno.test("while nobody watches an agent, what is reported is not even looked at", () => {
  const fails = (name: string | symbol) => assert.fail(`asked for ${String(name)}`);
  const time = { now: () => fails("now"), timeOfDay: () => fails("timeOfDay") };
  const feed = new AgentEventFeed({ wants: () => false, publish: () => fails("publish") }, time);
  // deno-lint-ignore no-explicit-any -- it stands for everything.
  const untouchable: any = new Proxy({}, { get: (_, name) => fails(name) });
  feed.linkOpened(untouchable);
  feed.linkClosed(untouchable, untouchable, false);
  feed.linkFailed("a:1", "m");
  feed.dialDropped("given_up", "m", 1, 1n, "a:1", untouchable);
  feed.endpointDialed(1, untouchable, untouchable);
  feed.endpointDialFailed("timeout", "m", 1, untouchable, untouchable);
  feed.endpointClosed(1, "closed", "client", untouchable, untouchable);
});
