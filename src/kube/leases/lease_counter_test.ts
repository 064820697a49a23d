import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { leaseValue } from "../../../tests/support/fakes/fake_kube_api.ts";
import { type FakeLeases, startFakeLeases } from "../../../tests/support/fakes/fake_leases.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { LeaseCounter, type LeaseCounterOptions } from "./lease_counter.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const labels = { label: "value" };
const scope = { namespace: "kube-system", labelSelector: "label=value" };

class Calls {
  readonly lists: string[] = [];
  readonly watches: string[] = [];

  leasesListed(status: number | undefined, reason: string): void {
    this.lists.push(`${status} ${reason}`.trim());
  }

  leasesWatched(status: number | undefined, reason: string): void {
    this.watches.push(`${status} ${reason}`.trim());
  }
}

interface Counting extends AsyncDisposable {
  readonly world: FakeLeases;
  readonly counter: LeaseCounter;
  readonly calls: Calls;
  /** Each count that was told of. */
  readonly counts: number[];
}

/** A counter over leases that a test keeps; not started yet. */
async function counting(options: Partial<LeaseCounterOptions> = {}): Promise<Counting> {
  const world = await startFakeLeases();
  const calls = new Calls();
  const counter = new LeaseCounter({
    api: world.leases,
    scope,
    events: calls,
    random: () => 0,
    clock: systemClock,
    ...options,
  });
  const counts: number[] = [];
  counter.onChange(() => counts.push(counter.count()));
  return {
    world,
    counter,
    calls,
    counts,
    async [Symbol.asyncDispose]() {
      await counter.stop();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** A lease that holds, or held, for `seconds` from `age` seconds ago. */
function lease(name: string, age: number, seconds: number, now: number = Date.now()) {
  return leaseValue(name, { renewed: now - age * 1000, seconds, labels });
}

async function watching({ world, counter }: Counting): Promise<void> {
  counter.start();
  await until("it watches", () => world.watchers === 1);
}

leakTest("[agent 9-14] Lease counter: no leases: none are known, which is taken for 1", async () => {
  await using all = await counting();
  await watching(all);
  assert.equal(all.counter.count(), 0);
});

leakTest(
  "[agent 9-15] Lease counter: only leases with wrong value or wrong key: none, and they are not even sent",
  async () => {
    await using all = await counting();
    all.world.put(leaseValue("a", { renewed: Date.now(), seconds: 1000, labels: { label: "wrong" } }));
    all.world.put(leaseValue("b", { renewed: Date.now(), seconds: 1000, labels: { wrong: "value" } }));
    await watching(all);
    assert.equal(all.counter.count(), 0);
    for (const call of all.world.api.calls) assert.equal(call.query.get("labelSelector"), "label=value");
  },
);

leakTest("[agent 9-16] Lease counter: matching lease expired, other not matching: none", async () => {
  await using all = await counting();
  all.world.put(lease("a", 60, 30));
  all.world.put(leaseValue("b", { renewed: Date.now(), seconds: 1000, labels: { label: "wrong" } }));
  await watching(all);
  assert.equal(all.counter.count(), 0);
});

leakTest("[agent 9-17] Lease counter: lister error: none, told once and asked again", async () => {
  await using all = await counting();
  all.world.put(lease("a", 0, 1000));
  let failures = 0;
  all.world.intercept = (call) => {
    if (failures >= 2) return false;
    failures++;
    call.fail(403, "Forbidden");
    return true;
  };
  all.counter.start();
  await until("it has failed", () => all.calls.lists.length >= 1);
  assert.equal(all.counter.count(), 0);
  await until("it counts", () => all.counter.count() === 1);
  assert.deepEqual(all.calls.lists, ["403 Forbidden", "403 Forbidden", "200"]);
});

leakTest("[agent 9-18] Lease counter: two valid matching + one non-matching: 2", async () => {
  await using all = await counting();
  all.world.put(lease("a", 0, 1000));
  all.world.put(lease("b", 10, 1000));
  all.world.put(leaseValue("c", { renewed: Date.now(), seconds: 1000, labels: { label: "wrong" } }));
  await watching(all);
  assert.equal(all.counter.count(), 2);
});

leakTest(
  "[agent 9-19] Lease counter: lister error first, then three valid + one expired: 3, then lister error: still 3",
  async () => {
    await using all = await counting();
    let failing = true;
    all.world.intercept = (call) => {
      if (failing) call.fail(500, "InternalError");
      return failing;
    };
    for (const name of ["a", "b", "c"]) all.world.put(lease(name, 0, 1000));
    all.world.put(lease("d", 60, 30));
    all.counter.start();
    await until("it has failed", () => all.calls.lists.length >= 1);
    assert.equal(all.counter.count(), 0);
    failing = false;
    await until("it counts", () => all.counter.count() === 3);
    failing = true;
    all.world.compact();
    await until("it has failed again", () => all.calls.watches.includes("500 InternalError"));
    assert.equal(all.counter.count(), 3);
  },
);

leakTest("a server that comes or goes is known with the event, not at the next interval", async () => {
  await using all = await counting();
  await watching(all);
  all.world.put(lease("a", 0, 30));
  await until("one is known", () => all.counter.count() === 1);
  all.world.put(lease("b", 0, 30));
  await until("two are known", () => all.counter.count() === 2);
  all.world.put(lease("b", 0, 30));
  all.world.remove("a");
  await until("one is known", () => all.counter.count() === 1);
  all.world.put(leaseValue("b", { renewed: Date.now(), seconds: 30, labels: {} }));
  assert.deepEqual(all.counts, [1, 2, 1]);
  assert.equal(all.calls.lists.length, 1);
});

leakTest("[agent weak 23] a lease that is over is looked at once more, then it is over", async () => {
  await using all = await counting();
  await watching(all);
  all.world.put(lease("a", 0, 0.3));
  await until("one is known", () => all.counter.count() === 1);
  await until("none is known", () => all.counter.count() === 0);
  assert.equal(all.calls.lists.length, 2);
  await until("it watches again", () => all.world.watchers === 1);
});

leakTest("[agent weak 23] a server whose clock is wrong is counted by its renewals", async () => {
  await using all = await counting();
  // Its clock is an hour behind: its lease always seems to be over.
  all.world.put(lease("a", 3600, 30));
  await watching(all);
  assert.equal(all.counter.count(), 0);
  all.world.put(lease("a", 3595, 30));
  await until("it is known", () => all.counter.count() === 1);
  // Written again without a renewal, as when somebody adds an annotation.
  all.world.put(lease("b", 3600, 30));
  all.world.put(lease("b", 3600, 30));
  all.world.bookmark();
  await until("the events have come", () => all.world.watchers === 1);
  assert.equal(all.counter.count(), 1);
});

leakTest("[agent weak 23] a lease from a clock that is ahead does not outlive its server", async () => {
  await using all = await counting();
  all.world.put(lease("a", -3600, 0.3));
  await watching(all);
  await until("it is over", () => all.counts.at(-1) === 0);
  assert.deepEqual(all.counts, [1, 0]);
});

leakTest("[agent weak 23] an agent whose clock is wrong counts by the API's", async () => {
  const clock = new VirtualClock();
  await using all = await counting({ clock });
  // By this clock it is 1970.
  all.world.put(lease("a", 0, 30));
  all.world.put(lease("b", 60, 30));
  await watching(all);
  assert.equal(all.counter.count(), 1);
});

leakTest("while the API cannot be asked the last count stays, for a bounded time", async () => {
  const clock = new VirtualClock();
  await using all = await counting({ clock, outageMs: 600_000 });
  // The fake API dates its answers by the real clock, so leases are dated by that, too.
  all.world.put(lease("a", 0, 30));
  await watching(all);
  assert.equal(all.counter.count(), 1);
  all.world.intercept = (call) => {
    call.drop();
    return true;
  };
  all.world.endWatches();
  await until("it has failed", async () => {
    await clock.run(1_000);
    return all.calls.watches.includes("undefined");
  });
  await clock.run(300_000);
  assert.equal(all.counter.count(), 1);
  await clock.run(330_000);
  assert.equal(all.counter.count(), 0);
});

leakTest("an outage that ends leaves the servers that renewed in the meantime", async () => {
  await using all = await counting();
  all.world.put(lease("a", 0, 1));
  all.world.put(lease("b", 0, 1));
  await watching(all);
  assert.equal(all.counter.count(), 2);
  let down = true;
  all.world.intercept = (call) => {
    if (down) call.drop();
    return down;
  };
  all.world.endWatches();
  await until("it has failed", () => all.calls.watches.includes("undefined"));
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.equal(all.counter.count(), 2);
  all.world.put(lease("a", 0, 1000));
  down = false;
  await until("one is left", () => all.counter.count() === 1);
});

leakTest("a watch goes on where it ended, and only a forgotten history is listed again", async () => {
  await using all = await counting();
  all.world.put(lease("a", 0, 1000));
  await watching(all);
  all.world.bookmark();
  all.world.put(lease("b", 0, 1000));
  await until("two are known", () => all.counter.count() === 2);
  all.world.endWatches();
  all.world.put(lease("c", 0, 1000));
  await until("three are known", () => all.counter.count() === 3);
  assert.equal(all.calls.lists.length, 1);
  all.world.compact();
  all.world.remove("a");
  await until("two are known", () => all.counter.count() === 2);
  assert.equal(all.calls.lists.length, 2);
  assert.ok(all.calls.watches.includes("410 Expired"));
});

leakTest("a history that is forgotten within a watch is listed again", async () => {
  await using all = await counting();
  let told = false;
  all.world.intercept = (call) => {
    if (!call.query.has("watch") || told) return false;
    told = true;
    call.stream().send({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } });
    return true;
  };
  all.counter.start();
  await until("it has listed again and watches", () => all.calls.lists.length === 2 && all.calls.watches.length === 2);
});

leakTest("watches that end at once are not made again without a pause", async () => {
  const clock = new VirtualClock();
  await using all = await counting({ clock });
  all.world.intercept = (call) => {
    if (!call.query.has("watch")) return false;
    call.stream().end();
    return true;
  };
  all.counter.start();
  await until("it has watched", () => all.calls.watches.length === 1);
  await until("it pauses", () => clock.pending > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(all.calls.watches.length, 1);
});

leakTest("[agent weak 3] a lease without a duration does not end the agent, and does not count", async () => {
  await using all = await counting();
  all.world.put(leaseValue("a", { renewed: Date.now(), labels }));
  all.world.put(lease("b", 0, 1000));
  await watching(all);
  assert.equal(all.counter.count(), 1);
});

leakTest("[agent weak 22] counting begins without waiting for an API that does not answer", async () => {
  await using all = await counting();
  all.world.intercept = () => true;
  all.counter.start();
  assert.equal(all.counter.count(), 0);
  await until("it asks", () => all.world.log.length > 0);
  await all.counter.stop();
  assert.deepEqual(all.counts, []);
});

leakTest("[agent weak 31] watches are counted as watches, and calls without an answer as such", async () => {
  await using all = await counting();
  await watching(all);
  await until("the watch is counted", () => all.calls.watches.length > 0);
  assert.deepEqual(all.calls.lists, ["200"]);
  assert.deepEqual(all.calls.watches, ["200"]);
  all.world.intercept = (call) => {
    call.drop();
    return true;
  };
  all.world.compact();
  await until("a watch has no answer", () => all.calls.watches.includes("undefined"));
});
