import assert from "node:assert/strict";
import { agentLeases, joinedLeases, type SeenLease, type ServerLeaseReport, serverLeases } from "./lease_status.ts";

const scope = { namespace: "kube-system", labelSelector: "k8s-app=konnectivity-server" };

function seen(id: string, counts = true): SeenLease {
  const name = `konnectivity-proxy-server-${id}`;
  return { lease: { namespace: "kube-system", name, holderIdentity: id }, counts, endsInMs: counts ? 20_000 : -5_000 };
}

Deno.test("an agent's leases: those without a link first, then linked ones, then what does not count; links without one", () => {
  const leases = [seen("old", false), seen("a"), seen("c"), seen("b")];
  const status = agentLeases({ ...scope, count: 3, leases, unfollowed: undefined }, new Set(["a", "b", "x", "old"]));
  assert.deepEqual(status.items.map(({ holder, counts, linked }) => [holder, counts, linked]), [
    ["c", true, false],
    ["a", true, true],
    ["b", true, true],
    ["old", false, true],
  ]);
  assert.deepEqual([status.count, status.linked, status.total, status.followed], [3, 2, 4, true]);
  assert.deepEqual(status.withoutLease, ["x", "old"]);
  assert.equal(status.items[3]?.endsInSeconds, -5);
});

Deno.test("leases are shown to a bound, and counted beyond it", () => {
  const leases = Array.from({ length: 250 }, (_, at) => seen(`${"s".repeat(300)}${at}`));
  const links = new Set(Array.from({ length: 250 }, (_, at) => `link-${at}`));
  const ofAgent = agentLeases({ ...scope, count: 250, leases, unfollowed: undefined }, links);
  assert.deepEqual([ofAgent.items.length, ofAgent.total, ofAgent.withoutLease.length], [100, 250, 100]);
  assert.equal(ofAgent.items[0]?.holder.length, 257);
  const ofServer = serverLeases(report("s1", { count: 250, leases }));
  assert.deepEqual([ofServer.items.length, ofServer.total, ofServer.count], [100, 250, 250]);
});

function report(
  id: string,
  list: Partial<ServerLeaseReport["list"]> = {},
  own: Partial<ServerLeaseReport["own"]> = {},
): ServerLeaseReport {
  const name = `konnectivity-proxy-server-${id}`;
  return {
    ...scope,
    own: { name, held: true, renewedMsAgo: 1_500, failure: undefined, ...own },
    list: { count: 1, leases: [seen(id)], listedMsAgo: 2_000, failure: undefined, ...list },
  };
}

Deno.test("a server's leases: its own, and whose each is", () => {
  const status = serverLeases(report("s1", { count: 2, leases: [seen("s1"), seen("s2")] }));
  assert.deepEqual(status.own, [{ name: "konnectivity-proxy-server-s1", held: true, renewedSeconds: 1.5 }]);
  assert.deepEqual(status.items.map(({ holder, own }) => [holder, own]), [["s1", true], ["s2", false]]);
  assert.equal(status.listedSeconds, 2);
  const lost = serverLeases(report(
    "s1",
    { listedMsAgo: undefined, failure: "no list" },
    { held: false, renewedMsAgo: undefined, failure: "refused" },
  ));
  assert.deepEqual(lost.own, [{ name: "konnectivity-proxy-server-s1", held: false, failure: "refused" }]);
  assert.deepEqual(["listedSeconds" in lost, lost.failure], [false, "no list"]);
});

Deno.test("workers together: a lease of each with its number, the newest list, and a failure of any", () => {
  const leases = [seen("s1"), seen("s1-worker-1"), seen("s2")];
  const parts = new Map([
    [0, serverLeases(report("s1", { listedMsAgo: undefined, failure: "no list" }))],
    [1, serverLeases(report("s1-worker-1", { count: 3, leases, listedMsAgo: 4_000 }, { failure: "refused" }))],
  ]);
  const joined = joinedLeases(parts);
  assert.deepEqual(joined?.own.map(({ worker, failure }) => [worker, failure]), [[0, undefined], [1, "refused"]]);
  assert.deepEqual(joined?.items.map(({ holder, own }) => [holder, own]), [
    ["s1", true],
    ["s1-worker-1", true],
    ["s2", false],
  ]);
  assert.deepEqual([joined?.count, joined?.listedSeconds, joined?.failure], [3, 4, "no list"]);
  assert.equal(joinedLeases(new Map()), undefined);
});
