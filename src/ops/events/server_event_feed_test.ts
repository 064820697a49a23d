import assert from "node:assert/strict";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { certifiedPeer } from "../../../tests/support/memory/peer_identities.ts";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { reporting } from "../../programs/server/server_reports.ts";
import { AllowedNames } from "../../wire/destination/allowed_names.ts";
import { createServerMetrics } from "../../metrics/server_metrics.ts";
import { closeRequest, closeResponse, dialed, dialFailed, dialRequest } from "../../wire/packet.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { RecentFailures } from "../status/recent_failures.ts";
import type { EventOutlet, ProgramEvent } from "./program_event.ts";
import { ServerEventFeed } from "./server_event_feed.ts";

const agentPeer = certifiedPeer({ commonName: "node-7" });
const clientPeer = certifiedPeer({ commonName: "kube-apiserver" });

const nobodyScrapes = () => assert.fail("nobody scrapes");
const counted = createServerMetrics(nobodyScrapes, { strategies: ["default"], version: "v0" }).events;

/** Takes all events. */
class EventList implements EventOutlet {
  readonly events: ProgramEvent[] = [];
  wanted = true;

  wants(): boolean {
    return this.wanted;
  }

  publish(event: ProgramEvent): void {
    this.events.push(event);
  }

  get last(): ProgramEvent | undefined {
    return this.events.at(-1);
  }
}

function watchedWorld() {
  const list = new EventList();
  const failures = new RecentFailures();
  const feed = new ServerEventFeed(list, () => 0);
  const world: ServerWorld = new ServerWorld({ events: reporting(counted, failures, feed) });
  return { world, list, failures, feed };
}

const time = "1970-01-01T00:00:00.000Z";
const client = { frontend: "grpc", name: "kube-apiserver", address: clientPeer.address };

Deno.test("an agent that comes and goes is two events: who it is, how long it was there, and what it has carried", async () => {
  const { world, list } = watchedWorld();
  const identifiers = "host=a.example&default-route=true";
  const agent = await world.agent({ agentid: "a-1", "agentidentifiers": identifiers }, agentPeer);
  const who = { agent: "a-1", name: "node-7", address: agentPeer.address, link: "grpc", identifierCount: 2 };
  assert.deepEqual(list.events, [{ type: "agent-connected", time, ...who }]);
  const tunnel = world.openTunnel(agent, 1);
  tunnel.stream.sendData(1, new TextEncoder().encode("hello"));
  world.settle();
  await world.clock.run(90_000);
  agent.stream.lose(new Error("gone"));
  world.settle();
  const left = list.events.find(({ type }) => type === "agent-disconnected");
  assert.deepEqual(left, {
    type: "agent-disconnected",
    time,
    ...who,
    seconds: 90,
    bytes: { sent: 5, received: 0 },
    tunnels: 1,
    reason: "failed",
    message: "gone",
  });
  assert.equal(list.last?.type, "tunnel-closed", "what was on it follows");
  const second = await world.agent({ agentid: "a-2" });
  second.stream.end();
  world.settle();
  const ended = list.last as ProgramEvent & { reason: string };
  assert.deepEqual([ended.type, ended.agent, ended.reason], ["agent-disconnected", "a-2", "closed"]);
});

Deno.test("a tunnel is an event when it is dialled, and one at its end with reason, initiator, time and bytes", async () => {
  const { world, list } = watchedWorld();
  const agent = await world.agent({ agentid: "a-1" });
  const caller = world.client({}, clientPeer);
  caller.stream.sendPacket(dialRequest({ protocol: "tcp", address: "10.0.0.1:443" }, 5n));
  world.settle();
  await world.clock.run(12);
  agent.stream.sendPacket(dialed(agent.lastRandom, 3));
  world.settle();
  const about = { id: String(agent.lastRandom), client, destination: "10.0.0.1:443", agent: "a-1" };
  assert.deepEqual(list.last, { type: "dial", time, ...about, outcome: "ok", ms: 12 });
  caller.stream.sendData(3, new TextEncoder().encode("ask"));
  world.settle();
  agent.stream.sendData(3, new TextEncoder().encode("answer"));
  world.settle();
  await world.clock.run(1_500);
  caller.stream.sendPacket(closeRequest(3));
  world.settle();
  agent.stream.sendPacket(closeResponse(3));
  world.settle();
  assert.deepEqual(list.last, {
    type: "tunnel-closed",
    time,
    ...about,
    seconds: 1.5,
    bytes: { sent: 3, received: 6 },
    reason: "closed",
    initiator: "client",
  });
});

Deno.test("a dial that fails says why, at whichever agent, and where there is none", async () => {
  const { world, list, failures } = watchedWorld();
  const alone = world.client({}, clientPeer);
  alone.stream.sendPacket(dialRequest({ protocol: "tcp", address: "x:1" }, 5n));
  world.settle();
  const { id: _, ...none } = list.last as ProgramEvent & { id: string };
  const failed = { type: "dial", time, client, outcome: "failed" };
  assert.deepEqual(none, {
    ...failed,
    destination: "x:1",
    ms: 0,
    reason: "no_agent",
    message: "No agent available",
  });
  const agent = await world.agent({ agentid: "a-1" });
  const caller = world.client({}, clientPeer);
  caller.stream.sendPacket(dialRequest({ protocol: "tcp", address: "x:2" }, 5n));
  world.settle();
  await world.clock.run(7);
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "refused"));
  world.settle();
  assert.deepEqual(list.last, {
    ...failed,
    id: String(agent.lastRandom),
    destination: "x:2",
    agent: "a-1",
    ms: 7,
    reason: "error_response",
    message: "refused",
  });
  const hasty = world.client({}, clientPeer);
  hasty.stream.sendPacket(dialRequest({ protocol: "tcp", address: "x:3" }, 5n));
  world.settle();
  hasty.stream.lose(new Error("hung up"));
  world.settle();
  const given = list.last as ProgramEvent & { reason: string };
  assert.deepEqual([given.destination, given.reason, given.client], ["x:3", "frontend_close", client]);
  assert.deepEqual(
    failures.list().map(({ destination }) => destination),
    ["x:3", "x:2", "x:1"],
    "as the status has them",
  );
});

Deno.test("ids, destinations and messages are bounded, whatever length peers choose", async () => {
  const { world, list } = watchedWorld();
  const agent = await world.agent({ agentid: "i".repeat(10_000) }, certifiedPeer({ commonName: "n".repeat(10_000) }));
  const caller = world.client();
  caller.stream.sendPacket(dialRequest({ protocol: "tcp", address: `${"d".repeat(800)}:1` }, 5n));
  world.settle();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "m".repeat(10_000)));
  world.settle();
  assert.deepEqual(list.events.map(({ type }) => type), ["agent-connected", "dial"]);
  for (const event of list.events) assert.ok(JSON.stringify(event).length < 1_500, JSON.stringify(event));
  assert.equal(list.events[0]?.agent?.length, 257);
});

Deno.test("while nobody watches, what is reported is not even looked at", () => {
  const list = new EventList();
  list.wanted = false;
  const feed = new ServerEventFeed(list, () => assert.fail("asked for the time"));
  // deno-lint-ignore no-explicit-any -- it stands for everything.
  const untouchable: any = new Proxy({}, { get: (_, name) => assert.fail(`asked for ${String(name)}`) });
  feed.agentConnected(untouchable);
  feed.agentDisconnected(untouchable, untouchable);
  feed.dialing({
    get peer() {
      return untouchable;
    },
  } as never);
  feed.dialed(1, untouchable);
  feed.dialFailed("no_agent", "m", untouchable);
  feed.tunnelClosed(1, "closed", "client", untouchable, "");
  assert.deepEqual(list.events, []);
});

/** A peer that can be asked while its connection is open, and is remembered then, as those of sockets are. */
function socketPeer(address: string) {
  let [known, open]: [string | undefined, boolean] = [undefined, true];
  const peer: PeerIdentity = {
    get address() {
      return known ??= open ? address : "unknown";
    },
    certificate: undefined,
  };
  return { peer, close: () => open = false };
}

Deno.test("who was there before somebody watched is named at its end, when it could not be asked any more", async () => {
  const { world, list, feed } = watchedWorld();
  list.wanted = false;
  const [of, from] = [socketPeer("192.0.2.1:1"), socketPeer("192.0.2.2:2")];
  const agent = await world.agent({}, of.peer);
  const caller = world.client({ "konnectivity-features": "early-data" }, from.peer);
  caller.stream.sendPacket(dialRequest({ protocol: "tcp", address: "x:1" }, 5n));
  world.settle();
  agent.stream.sendPacket(dialed(agent.lastRandom, 3));
  world.settle();
  assert.deepEqual(list.events, []);
  list.wanted = true;
  await feed.settle(world.server.pool.all());
  for (const peer of [of, from]) peer.close();
  agent.stream.lose(new Error("gone"));
  world.settle();
  const [left, closed] = list.events as (ProgramEvent & { address: string })[];
  assert.deepEqual([left?.address, closed?.client?.address], ["192.0.2.1:1", "192.0.2.2:2"]);
});

Deno.test("what throws on the way to the watchers ends no tunnel and no link", async () => {
  using faults = expectFaults();
  const { world, list } = watchedWorld();
  list.publish = () => {
    throw new Error("broken outlet");
  };
  const agent = await world.agent();
  world.openTunnel(agent, 1);
  assert.equal(world.server.establishedTunnels, 1);
  assert.deepEqual(faults.seen.map(({ place }) => place), ["request", "request"]);
});

Deno.test("a client that is refused for its name has not dialled, and is no event", async () => {
  const { list, failures, feed } = watchedWorld();
  const world = new ServerWorld({
    events: reporting(counted, failures, feed),
    clientNames: new AllowedNames(["CN=kube-apiserver"]),
  });
  await world.agent();
  world.client({}, certifiedPeer({ commonName: "somebody" }));
  world.settle();
  assert.deepEqual(list.events.map(({ type }) => type), ["agent-connected"]);
});
