import assert from "node:assert/strict";
import { VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";
import { type Peer, ServerWorld } from "../../tests/support/memory/server_world.ts";
import { closeResponse } from "../wire/packet.ts";
import { type AgingLink, limitLinkAge } from "./link_age.ts";

const ageMs = 3_600_000;
/** The server has ended the link in order. */
function isOver({ ended }: Peer): boolean {
  return ended;
}

/** By chance an age is up to a tenth longer. */
const mostMs = ageMs * 1.1;

Deno.test("an old link without tunnels is closed, and its agent may come back", async () => {
  const world = new ServerWorld({ maxLinkAgeMs: ageMs });
  const agent = await world.agent();
  world.clock.advance(ageMs - 1_000);
  world.settle();
  assert.equal(agent.ended, false);
  world.clock.advance(mostMs - ageMs + 1_000);
  world.settle();
  assert.equal(isOver(agent), true);
  agent.stream.end();
  world.settle();
  assert.equal(world.server.pool.size, 0);
  assert.equal((await world.agent()).refusal, undefined);
});

Deno.test("an old link gets no new tunnels while there is another agent, and is closed with its last tunnel", async () => {
  const world = new ServerWorld({ maxLinkAgeMs: ageMs });
  const old = await world.agent();
  const client = world.openTunnel(old, 7);
  world.clock.advance(mostMs);
  const fresh = await world.agent({ agentid: "agent-2" });
  for (let id = 1; id <= 10; id++) world.openTunnel(fresh, id);
  assert.equal(old.ended, false);
  client.stream.end();
  world.settle();
  old.stream.sendPacket(closeResponse(7));
  world.settle();
  world.clock.advance(2_000);
  world.settle();
  assert.equal(isOver(old), true);
  assert.equal(fresh.ended, false);
});

Deno.test("at twice its age a link is closed with what is on it, and the clients are told", async () => {
  const world = new ServerWorld({ maxLinkAgeMs: ageMs });
  const agent = await world.agent();
  const client = world.openTunnel(agent, 7);
  world.clock.advance(2 * ageMs - 1_000);
  world.settle();
  assert.equal(agent.ended, false);
  world.clock.advance(2 * (mostMs - ageMs) + 2_000);
  world.settle();
  assert.match(client.log.join(), /CLOSE_RSP 7 the agent's link is too old \(--max-link-age\)/);
  assert.equal(isOver(agent), true);
});

Deno.test("links that began together do not end together, and one that is gone asks for nothing", () => {
  const clock = new VirtualClock();
  const ends: number[] = [];
  let passed = 0;
  const link: AgingLink = {
    place: "link",
    info: { agentId: "agent" },
    tunnelCount: 0,
    idle: true,
    retire: () => {},
    closeTunnels: () => {},
    close: () => ends.push(passed),
    faulted: () => {},
  };
  for (const chance of [0, 0.5, 0.999]) limitLinkAge(ageMs, link, clock, () => chance);
  limitLinkAge(ageMs, { ...link, close: () => ends.push(-1) }, clock, () => 0)();
  for (; passed < mostMs; passed += 60_000) clock.advance(60_000);
  assert.equal(ends.length, 3);
  assert.equal(new Set(ends).size, 3);
  assert.ok(ends.every((at) => at >= ageMs - 60_000 && at <= mostMs), ends.join());
});
