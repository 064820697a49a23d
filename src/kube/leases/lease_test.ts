import assert from "node:assert/strict";
import { isLeaseValid, type Lease, leaseEndMs, leaseOf, microTime } from "./lease.ts";

const now = Date.parse("2026-08-21T10:00:00Z");
const seconds = (count: number) => now - count * 1000;

function lease(times: Partial<Lease>): Lease {
  return {
    name: "l",
    namespace: "n",
    uid: "u",
    resourceVersion: "1",
    labels: {},
    holderIdentity: "",
    acquireTimeMs: undefined,
    renewTimeMs: undefined,
    durationSeconds: undefined,
    ...times,
  };
}

/** As the original tests it: a moment later. */
function valid(times: Partial<Lease>): boolean {
  return isLeaseValid(lease(times), now + 1);
}

Deno.test("[server 13.3-4] [agent 9-31] IsLeaseValid: acquired 1 s ago for 1000 s: valid", () => {
  assert.equal(valid({ acquireTimeMs: seconds(1), durationSeconds: 1000 }), true);
});

Deno.test("[server 13.3-4] [agent 9-31] IsLeaseValid: acquired long ago but renewed 1 s ago: valid", () => {
  assert.equal(valid({ acquireTimeMs: seconds(10_000), renewTimeMs: seconds(1), durationSeconds: 1000 }), true);
});

Deno.test("[server 13.3-4] [agent 9-31] IsLeaseValid: neither time: invalid", () => {
  assert.equal(valid({ durationSeconds: 1000 }), false);
});

Deno.test("[server 13.3-4] [agent 9-31] IsLeaseValid: acquired 10000 s ago for 1000 s: invalid", () => {
  assert.equal(valid({ acquireTimeMs: seconds(10_000), durationSeconds: 1000 }), false);
});

Deno.test("[server 13.3-4] [agent 9-31] IsLeaseValid: renewed 9000 s ago for 1000 s: invalid", () => {
  assert.equal(valid({ acquireTimeMs: seconds(10_000), renewTimeMs: seconds(9_000), durationSeconds: 1000 }), false);
});

Deno.test("[agent 9-31] Lease validity: of its two times the renewal counts, and the very end is over", () => {
  const times = { acquireTimeMs: seconds(1), renewTimeMs: seconds(9_000), durationSeconds: 1000 };
  assert.equal(valid(times), false);
  const ends = lease({ renewTimeMs: seconds(1000), durationSeconds: 1000 });
  assert.equal(isLeaseValid(ends, now), false);
  assert.equal(isLeaseValid(ends, now - 1), true);
});

Deno.test("[server W20] [agent weak 3] a lease without a duration is read without an accident: it does not hold", () => {
  for (const leaseDurationSeconds of [undefined, null, "30", -1, {}]) {
    const read = leaseOf({ metadata: { name: "l" }, spec: { renewTime: microTime(now), leaseDurationSeconds } });
    assert.ok(read !== undefined);
    assert.equal(read.durationSeconds, undefined);
    assert.equal(leaseEndMs(read), undefined);
    assert.equal(isLeaseValid(read, now), false);
  }
});

Deno.test("a lease is read as the API sends it, microseconds and all", () => {
  const read = leaseOf({
    metadata: { name: "a", namespace: "b", uid: "c", resourceVersion: "9", labels: { k: "v" } },
    spec: {
      holderIdentity: "me",
      leaseDurationSeconds: 30,
      renewTime: "2026-08-21T10:00:00.123456Z",
      acquireTime: "2026-08-21T09:00:00Z",
    },
  });
  assert.deepEqual(read, {
    name: "a",
    namespace: "b",
    uid: "c",
    resourceVersion: "9",
    labels: { k: "v" },
    holderIdentity: "me",
    durationSeconds: 30,
    renewTimeMs: now + 123,
    acquireTimeMs: now - 3_600_000,
  });
  assert.equal(microTime(now + 123), "2026-08-21T10:00:00.123000Z");
});

Deno.test("what is no lease is not read as one", () => {
  for (const value of [undefined, null, 1, "x", [], {}, { metadata: {} }, { metadata: { name: 1 } }]) {
    assert.equal(leaseOf(value), undefined);
  }
  assert.equal(leaseOf({ metadata: { name: "a" }, spec: { renewTime: "yesterday" } })?.renewTimeMs, undefined);
});
