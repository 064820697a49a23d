import assert from "node:assert/strict";
import { turns, VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";
import { Keepalive } from "./keepalive.ts";

class FakePeer {
  activity = 0;
  probes = 0;
  died = 0;
  answers = true;

  probe(): Promise<void> {
    this.probes++;
    return this.answers ? Promise.resolve() : new Promise(() => {});
  }

  onTimeout(): void {
    this.died++;
  }
}

function watched(timeMs = 10_000): { clock: VirtualClock; peer: FakePeer; keepalive: Keepalive } {
  const clock = new VirtualClock();
  const peer = new FakePeer();
  const keepalive = new Keepalive(peer, { timeMs, timeoutMs: 10_000 }, clock);
  keepalive.start();
  return { clock, peer, keepalive };
}

Deno.test("a silent peer is asked after its time, and lives on when it answers", async () => {
  const { clock, peer, keepalive } = watched();
  await clock.run(9_900);
  assert.equal(peer.probes, 0);
  await clock.run(50_000);
  assert.ok(peer.probes >= 4, `${peer.probes} probes in a minute`);
  assert.equal(peer.died, 0);
  keepalive.stop();
  assert.equal(clock.pending, 0);
});

Deno.test("[agent weak 24] a peer that died is noticed within 25 s, whenever it died", async () => {
  for (const lastSignMs of [0, 4_900, 5_100, 9_900]) {
    const { clock, peer } = watched();
    peer.answers = false;
    await clock.run(lastSignMs);
    peer.activity++;
    await clock.run(25_000);
    assert.equal(peer.died, 1, `last sign at ${lastSignMs} ms`);
    assert.equal(clock.pending, 0);
  }
});

Deno.test("a peer that is busy is never asked, and one that shows life while it is asked is not given up", async () => {
  const { clock, peer } = watched();
  for (let second = 0; second < 60; second++) {
    peer.activity++;
    await clock.run(1_000);
  }
  assert.equal(peer.probes, 0);
  peer.answers = false;
  await clock.run(16_000);
  assert.equal(peer.probes, 1);
  peer.activity++;
  await clock.run(10_000);
  assert.equal(peer.died, 0);
});

Deno.test("with a time of 0 nothing is asked, unless there is doubt", async () => {
  const { clock, peer, keepalive } = watched(0);
  await clock.run(100_000);
  assert.equal(peer.probes, 0);
  keepalive.probeNow();
  await turns();
  assert.equal(peer.probes, 1);
  assert.equal(clock.pending, 0);
  peer.answers = false;
  keepalive.probeNow();
  keepalive.probeNow();
  await clock.run(10_000);
  assert.equal(peer.probes, 2);
  assert.equal(peer.died, 1);
});
