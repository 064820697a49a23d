import assert from "node:assert/strict";
import { connectMs, ProxyWorld } from "../../../tests/support/memory/proxy_world.ts";
import { type Peer, ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { clientRules, destinationLists } from "../../programs/destination_flags.ts";
import { closeResponse, dialed, drain } from "../../wire/packet.ts";
import { DialPolicy } from "../dial_policy.ts";
import type { ProxyServerOptions } from "../proxy_server.ts";
import type { ProbeEvents } from "./destination_probe.ts";
import type { ProbeOptions } from "./destination_probes.ts";

const intervalMs = 30_000;
const timeoutMs = 10_000;

/** What probes reported, in order. */
class ProbeLog implements ProbeEvents {
  readonly lines: string[] = [];

  probeSucceeded(destination: string, seconds: number): void {
    this.lines.push(`${destination} in ${seconds}`);
  }

  probeFailed(destination: string, reason: string): void {
    this.lines.push(`${destination} ${reason}`);
  }

  /** What came since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

function options(events: ProbeEvents, destinations: readonly string[], more: Partial<ProbeOptions> = {}): ProbeOptions {
  return { destinations, intervalMs, timeoutMs, readiness: true, events, ...more };
}

/** A server that probes, and an agent that is not linked yet. */
function probing(destinations: readonly string[], more: Partial<ProbeOptions> & Partial<ProxyServerOptions> = {}) {
  const log = new ProbeLog();
  const world = new ProxyWorld({ ...more, probes: options(log, destinations, more) });
  const { server, events } = world.serverWorld;
  server.probes.start();
  return { world, server, events, log };
}

/** A server that probes one destination through an agent that the test plays. */
async function played(destination = "destination:80", more: Partial<ProxyServerOptions> = {}) {
  const log = new ProbeLog();
  const world = new ServerWorld({ ...more, probes: options(log, [destination]) });
  world.server.probes.start();
  const agent = await world.agent();
  const run = async (ms: number) => await world.clock.run(ms, () => Promise.resolve(world.settle()));
  return { world, agent, log, run };
}

const dialsOf = (agent: Peer) => agent.log.filter((packet) => packet === "DIAL_REQ").length;

Deno.test("a probe dials as a client would, sends nothing, and closes in order", async () => {
  const lines: string[] = [];
  const { world, server, log, events } = probing(["destination:80"], { audit: (line) => void lines.push(line) });
  world.agent.start();
  await world.run(100);
  assert.equal(server.notReady, undefined);
  assert.deepEqual(log.lines, [`destination:80 in ${connectMs / 1000}`]);
  const [socket] = world.sockets;
  assert.deepEqual([socket?.written, socket?.ended], [[], true]);
  socket?.closes();
  await world.settle();
  const [backend] = server.pool.all();
  assert.deepEqual([backend?.tunnelCount, backend?.pendingDials, backend?.idle], [0, 0, true]);
  assert.deepEqual([events.dials, events.dialFailures, events.closes], [0, [], []], "it is no client's dial");
  const [report] = server.probeReports();
  assert.deepEqual([report?.success, report?.reachable, report?.failures], [true, true, 0]);
  assert.equal(report?.lastSuccess?.agent, "agent-1");
  assert.match(lines[0] ?? "", /"event":"dial".*"client":\{"frontend":"probe","name":"probe","address":"probe"\}/);
  assert.match(lines[0] ?? "", /"destination":"destination:80".*"outcome":"connected"/);
  assert.match(lines[1] ?? "", /"event":"close".*"frontend":"probe".*"bytesToDestination":0.*"reason":"closed"/);
  await world.run(intervalMs - 100);
  assert.equal(log.lines.length, 1);
  await world.run(100 + connectMs);
  assert.equal(log.lines.length, 2, "the next one comes an interval after the beginning of the one before");
});

Deno.test("the dial and the tunnel of a probe are in no gauge of clients' dials and tunnels", async () => {
  const { world, agent, run } = await played();
  await run(100);
  const { server } = world;
  const [backend] = server.pool.all();
  assert.deepEqual([backend?.pendingDials, server.pendingDials], [1, 0]);
  agent.stream.sendPacket(dialed(agent.lastRandom, 7));
  world.settle();
  assert.deepEqual([backend?.tunnelCount, server.establishedTunnels], [1, 0]);
  assert.deepEqual([...server.backends()].map(({ tunnels }) => tunnels), [0]);
  world.openTunnel(agent, 8);
  assert.deepEqual([backend?.tunnelCount, server.establishedTunnels], [2, 1]);
  assert.deepEqual([...server.backends()].map(({ tunnels }) => tunnels), [1]);
  assert.equal(world.events.dials, 1);
  agent.stream.sendPacket(closeResponse(7));
  world.settle();
  assert.deepEqual([backend?.tunnelCount, server.establishedTunnels], [1, 1]);
});

Deno.test("an agent of the original sees nothing but a dial and a close", async () => {
  const { world, agent, run } = await played();
  await run(100);
  agent.stream.sendPacket(dialed(agent.lastRandom, 7));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "CLOSE_REQ 7"]);
});

Deno.test("a server is not ready until a probe has succeeded, stays so for two failures in a row, and is ready at one success", async () => {
  const { world, server, log } = probing(["destination:80"]);
  world.refusing.add("destination:80");
  world.agent.start();
  await world.run(1_000);
  assert.deepEqual(log.take(), ["destination:80 error_response"]);
  assert.equal(server.notReady, "no probe reaches its destination");
  world.refusing.clear();
  await world.run(intervalMs);
  assert.equal(server.notReady, undefined);
  world.refusing.add("destination:80");
  await world.run(2 * intervalMs);
  assert.deepEqual(log.take().slice(1), ["destination:80 error_response", "destination:80 error_response"]);
  const [report] = server.probeReports();
  assert.deepEqual([report?.success, report?.reachable, report?.failures], [false, true, 2]);
  assert.equal(server.notReady, undefined);
  await world.run(intervalMs);
  assert.equal(server.notReady, "no probe reaches its destination");
  world.refusing.clear();
  await world.run(intervalMs);
  assert.equal(server.notReady, undefined);
});

Deno.test("one of several destinations that is reached keeps the server ready, and the checks show each", async () => {
  const { world, server } = probing(["a:80", "b:80"]);
  world.refusing.add("b:80");
  world.agent.start();
  assert.equal(server.notReady, "no connection to any proxy agent");
  await world.run(5 * intervalMs);
  assert.equal(server.notReady, undefined);
  assert.deepEqual(server.probes.checks(), [
    { destination: "a:80", failure: undefined },
    { destination: "b:80", failure: "the agent could not connect" },
  ]);
  world.refusing.add("a:80");
  await world.run(3 * intervalMs);
  assert.equal(server.notReady, "no probe reaches its destination");
});

Deno.test("without --probe-readiness probes do not count for it", async () => {
  const { world, server } = probing(["silent:1"], { readiness: false });
  world.agent.start();
  await world.run(5 * intervalMs);
  const [report] = server.probeReports();
  assert.deepEqual([report?.reachable, server.notReady], [false, undefined]);
});

Deno.test("a probe without an agent fails after an interval, and the next agent has it tried at once", async () => {
  const { world, server, log } = probing(["destination:80"]);
  await world.run(intervalMs - 1);
  assert.deepEqual([log.lines, server.probes.checks()[0]?.failure], [[], "not tried yet"]);
  await world.run(1);
  assert.deepEqual(log.take(), ["destination:80 no_agent"]);
  await world.run(10_000);
  world.agent.start();
  await world.run(1_000);
  assert.deepEqual(log.take(), [`destination:80 in ${connectMs / 1000}`]);
  assert.equal(server.notReady, undefined);
  await world.run(intervalMs - 1_000);
  assert.deepEqual(log.take(), [], "from then on the interval counts from that one");
});

Deno.test("agents that come one after the other have a destination that fails tried once a second", async () => {
  const log = new ProbeLog();
  const world = new ServerWorld({ strategies: ["defaultRoute"], probes: options(log, ["destination:80"]) });
  world.server.probes.start();
  for (let at = 0; at < 25; at++) {
    await world.agent({ agentid: `agent-${at}` });
    await world.clock.run(100);
  }
  // No strategy takes one of these agents.
  assert.deepEqual(log.lines, Array(3).fill("destination:80 no_agent"));
});

Deno.test("a probe that takes too long fails by its timeout, and its dial is given up at the agent", async () => {
  const { world, server, log } = probing(["silent:1"], { timeoutMs: intervalMs });
  world.agent.start();
  await world.run(1_000);
  await world.run(intervalMs - 1_000);
  assert.deepEqual([log.lines, world.silent.map(({ aborted }) => aborted)], [[], [false]]);
  await world.run(1_000);
  assert.deepEqual(log.take(), ["silent:1 timeout"]);
  assert.deepEqual(world.silent.map(({ aborted }) => aborted), [true, false], "the next one is in flight already");
  const [report] = server.probeReports();
  assert.deepEqual([report?.lastFailure?.message, report?.lastFailure?.seconds], ["no answer within 30 s", 30]);
  assert.deepEqual(world.serverWorld.events.dialFailures, []);
});

Deno.test("the next probe waits until the agent has answered the close of the one before", async () => {
  const { world, agent, log, run } = await played();
  await run(100);
  agent.stream.sendPacket(dialed(agent.lastRandom, 7));
  world.settle();
  assert.equal(log.lines.length, 1);
  await run(intervalMs - 100);
  assert.deepEqual([dialsOf(agent), world.server.probes.tunnels], [1, 1]);
  agent.stream.sendPacket(closeResponse(7));
  world.settle();
  await run(intervalMs);
  assert.equal(dialsOf(agent), 2);
});

Deno.test("an agent that drains is not probed: it ends once nothing is on it", async () => {
  const { world, agent, log, run } = await played();
  await run(100);
  agent.stream.sendPacket(dialed(agent.lastRandom, 7));
  agent.stream.sendPacket(closeResponse(7));
  agent.stream.sendPacket(drain());
  world.settle();
  await run(5 * intervalMs);
  assert.deepEqual([dialsOf(agent), log.lines.length, world.server.notReady], [1, 1, undefined]);
  const other = await world.agent({ agentid: "agent-2" });
  await run(intervalMs);
  assert.equal(dialsOf(other), 1);
});

Deno.test("a link that is lost fails the probe on it, or moves it to another agent", async () => {
  const { world, agent, log, run } = await played();
  await run(100);
  const other = await world.agent({ agentid: "agent-2" });
  agent.stream.end();
  world.settle();
  assert.deepEqual([log.lines, dialsOf(other)], [[], 1]);
  other.stream.sendPacket(dialed(other.lastRandom, 3));
  world.settle();
  assert.equal([...world.server.probeReports()][0]?.lastSuccess?.agent, "agent-2");
  other.stream.sendPacket(closeResponse(3));
  world.settle();
  await run(intervalMs);
  assert.equal(dialsOf(other), 2);
  other.stream.end();
  world.settle();
  assert.equal(log.lines.at(-1), "destination:80 backend_close");
});

Deno.test("a server that drains gives its probes up at once, counts none of them, and begins no other", async () => {
  const { world, server, log } = probing(["silent:1", "destination:80"]);
  world.agent.start();
  await world.run(1_000);
  log.take();
  assert.deepEqual([server.probes.pendingDials, world.silent[0]?.aborted], [1, false]);
  server.drain();
  await world.settle();
  assert.deepEqual([server.probes.pendingDials, server.pendingDials, world.silent[0]?.aborted], [0, 0, true]);
  await world.run(3 * intervalMs);
  assert.deepEqual(log.lines, []);
});

Deno.test("nothing of probes is left once they have stopped, no deadline either", async () => {
  const { world, run } = await played();
  await run(100);
  world.server.drain();
  world.settle();
  const [backend] = world.server.pool.all();
  assert.deepEqual([world.clock.pending, backend?.pendingDials], [0, 0]);
});

Deno.test("--destinations and --deny-destinations hold for probes, --client-destinations do not", async () => {
  const policy = (allow: string[]) =>
    new DialPolicy({ lists: destinationLists(allow, []), clients: clientRules(["kube-apiserver=*:443"]) });
  const refused = await played("destination:80", { policy: policy(["other:80"]) });
  await refused.run(100);
  assert.deepEqual([refused.log.lines, dialsOf(refused.agent)], [["destination:80 not_allowed"], 0]);
  const taken = await played("destination:80", { policy: policy([]) });
  await taken.run(100);
  assert.equal(dialsOf(taken.agent), 1);
});

Deno.test("whatever throws where a probe is reported, the next one comes in its turn", async () => {
  let throwing = true;
  const log = new ProbeLog();
  const events: ProbeEvents = {
    probeSucceeded: (...about) => log.probeSucceeded(...about),
    probeFailed: (...about) => {
      if (throwing) throw new Error("a metric throws");
      log.probeFailed(...about);
    },
  };
  const world = new ServerWorld({ probes: options(events, ["destination:80"]) });
  world.server.probes.start();
  {
    using faults = expectFaults();
    await world.clock.run(intervalMs);
    assert.equal(faults.seen.length, 1);
  }
  throwing = false;
  await world.clock.run(intervalMs);
  assert.deepEqual(log.lines, ["destination:80 no_agent"]);
});
