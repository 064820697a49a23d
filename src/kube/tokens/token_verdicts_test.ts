import { Code } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { turns, VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import type { FakeCall } from "../../../tests/support/fakes/fake_kube_api.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { memberOf, textMember } from "../client/json_value.ts";
import type { TokenAuthenticatorOptions } from "./token_authenticator.ts";
import { accepted, forever, good, refusal, world } from "../../../tests/support/in_process/token_world.ts";

leakTest("[server W23] a good token is asked for once in a while, and again when it is old", async () => {
  const clock = new VirtualClock();
  await world(async (authenticate, api) => {
    await authenticate(["Bearer a"], forever);
    await authenticate(["Bearer a"], forever);
    assert.equal(api.reviews.length, 1);
    await authenticate(["Bearer b"], forever);
    assert.equal(api.reviews.length, 2);
    api.status = { authenticated: false };
    clock.advance(1_001);
    assert.equal((await refusal(authenticate, "Bearer a")).code, Code.Unauthenticated);
    assert.equal(api.reviews.length, 3);
  }, { clock, cache: { goodMs: 1_000, badMs: 100, maxEntries: 10 } });
});

leakTest("a bad token is not asked for again for a short time", async () => {
  const clock = new VirtualClock();
  await world(async (authenticate, api) => {
    api.status = { authenticated: false };
    await refusal(authenticate, "Bearer a");
    await refusal(authenticate, "Bearer a");
    assert.equal(api.reviews.length, 1);
    api.status = accepted;
    clock.advance(101);
    await authenticate(["Bearer a"], forever);
  }, { clock, cache: { goodMs: 1_000, badMs: 100, maxEntries: 10 } });
});

leakTest("a time of day that is set back keeps no verdict for longer", async () => {
  const clock = new VirtualClock(3_600_000);
  await world(async (authenticate, api) => {
    await authenticate(["Bearer a"], forever);
    clock.setTimeOfDay(0);
    clock.advance(1_001);
    api.status = { authenticated: false };
    assert.equal((await refusal(authenticate, "Bearer a")).code, Code.Unauthenticated);
  }, { clock, cache: { goodMs: 1_000, badMs: 100, maxEntries: 10 } });
});

leakTest("a token that says when it ends is let in no longer than that", async () => {
  const clock = new VirtualClock(1_000_000_000_000);
  const claims = btoa(JSON.stringify({ exp: 1_000_000_005 })).replaceAll("=", "");
  await world(async (authenticate, api) => {
    await authenticate([`Bearer h.${claims}.s`], forever);
    clock.advance(4_000);
    await authenticate([`Bearer h.${claims}.s`], forever);
    assert.equal(api.reviews.length, 1);
    clock.advance(1_000);
    api.status = { authenticated: false };
    await refusal(authenticate, `Bearer h.${claims}.s`);
  }, { clock });
});

leakTest("the memory for verdicts is bounded: the oldest go", () =>
  world(async (authenticate, { reviews }) => {
    for (const token of ["a", "b", "c"]) await authenticate([`Bearer ${token}`], forever);
    for (const token of ["b", "c"]) await authenticate([`Bearer ${token}`], forever);
    assert.equal(reviews.length, 3);
    await authenticate(["Bearer a"], forever);
    assert.equal(reviews.length, 4);
  }, { cache: { goodMs: 1e6, badMs: 1e6, maxEntries: 2 } }));

leakTest("a verdict that was made anew is the newest: another one goes first", async () => {
  const clock = new VirtualClock();
  await world(async (authenticate, { reviews }) => {
    for (const token of ["a", "b"]) await authenticate([`Bearer ${token}`], forever);
    clock.advance(1_001);
    for (const token of ["b", "a", "c", "a"]) await authenticate([`Bearer ${token}`], forever);
    assert.equal(reviews.length, 5);
  }, { clock, cache: { goodMs: 1_000, badMs: 1_000, maxEntries: 2 } });
});

leakTest(
  "a thousand agents with one token that come together are one review",
  () =>
    world(async (authenticate, { reviews }) => {
      await Promise.all(Array.from({ length: 1_000 }, () => authenticate(["Bearer a"], forever)));
      assert.equal(reviews.length, 1);
    }),
);

leakTest(
  "an agent that gives up does not take the review from others with its token",
  () =>
    world(async (authenticate, api) => {
      const held: FakeCall[] = [];
      api.handle = (call) => held.push(call);
      const gone = new AbortController();
      const first = authenticate(["Bearer a"], gone.signal);
      const second = authenticate(["Bearer a"], forever);
      await until("the review is in flight", () => held.length === 1);
      gone.abort(new Error("gone"));
      await assert.rejects(first, /gone/);
      await assert.rejects(authenticate(["Bearer a"], gone.signal), /gone/);
      held[0]?.answer(201, { status: accepted });
      await second;
      assert.equal(api.reviews.length, 1);
    }),
);

leakTest("reviews in flight are bounded: who comes then may try again", () =>
  world(async (authenticate, api) => {
    const held: FakeCall[] = [];
    api.handle = (call) => held.push(call);
    const calls = ["a", "b"].map((token) => authenticate([`Bearer ${token}`], forever));
    await until("the reviews are in flight", () => held.length === 2);
    assert.equal((await refusal(authenticate, "Bearer c")).code, Code.ResourceExhausted);
    for (const call of held) call.answer(201, { status: accepted });
    await Promise.all(calls);
    api.handle = undefined;
    await turns();
    await authenticate(["Bearer c"], forever);
  }, { maxReviews: 2 }));

leakTest(
  "each review is told with its outcome, and what throttles it: its own rate, the API, too many at once",
  async () => {
    const told: string[] = [];
    const telling: Partial<TokenAuthenticatorOptions> = {
      onReviewed: (outcome) => told.push(outcome),
      onTooMany: () => told.push("too many"),
      maxReviews: 1,
    };
    await world(async (authenticate, api) => {
      await authenticate(["Bearer a"], forever);
      await authenticate(["Bearer a"], forever);
      assert.deepEqual(told.splice(0), ["accepted"], "a verdict that is remembered is no review");
      api.status = { authenticated: false };
      await refusal(authenticate, "Bearer b");
      api.handle = (call) => call.fail(422, "Invalid", "no");
      await refusal(authenticate, "Bearer c");
      assert.deepEqual(told.splice(0), ["refused", "failed"]);
      const held: FakeCall[] = [];
      api.handle = (call) => held.push(call);
      const first = refusal(authenticate, "Bearer d");
      await until("the review is in flight", () => held.length === 1);
      await refusal(authenticate, "Bearer e");
      held[0]?.answer(201, { status: api.status });
      await first;
      assert.deepEqual(told, ["too many", "refused"]);
    }, telling);
  },
);

leakTest(
  "a token of absurd length is refused without asking the API",
  () =>
    world(async (authenticate, { reviews }) => {
      const longest = "x".repeat(16_384);
      assert.equal((await refusal(authenticate, `Bearer ${longest}x`)).code, Code.Unauthenticated);
      assert.equal((await refusal(authenticate, "Bearer ")).code, Code.Unauthenticated);
      assert.equal(reviews.length, 0);
      await authenticate([`Bearer ${longest}`], forever);
    }),
);

leakTest(
  "a token does not come back in an error, even when the API repeats it",
  () =>
    world(async (authenticate, api) => {
      api.handle = (call) => call.fail(422, "Invalid", `bad token ${textMember(memberOf(call.body, "spec"), "token")}`);
      const error = await refusal(authenticate, "Bearer s3cret");
      assert.doesNotMatch(Deno.inspect(error, { depth: 20 }), /s3cret/);
      assert.match(error.message, /err:Invalid$/);
      // What else is known of the failure stays.
      api.handle = (call) => call.fail(422, "", "s3cret");
      assert.match((await refusal(authenticate, "Bearer s3cret")).message, /err:status 422$/);
    }),
);

leakTest(
  "a review whose connection breaks is asked for again: it changes nothing",
  () =>
    world(async (authenticate, api) => {
      api.handle = (call) => {
        api.handle = undefined;
        call.drop();
      };
      await authenticate(["Bearer a"], forever);
      assert.equal(api.reviews.length, 2);
    }),
);

leakTest(
  "a call that is decided leaves nothing behind: no deadline, and no listener on what may abort it",
  async () => {
    const clock = new VirtualClock();
    await world(async (authenticate) => {
      const { signal } = new AbortController();
      await authenticate(["Bearer a"], signal);
      assert.equal(clock.pending, 0);
      assert.equal(getEventListeners(signal, "abort").length, 0);
    }, { clock });
  },
);

Deno.test("whom a token speaks for is told: its service account, pod and node, once for each of them", async () => {
  await world(async (authenticate, api) => {
    const plain = await authenticate(["Bearer plain"], forever);
    assert.deepEqual([plain.namespace, plain.serviceAccount], ["kube-system", "konnectivity-agent"]);
    assert.deepEqual([plain.uid, plain.podName, plain.podUid, plain.nodeName, plain.nodeUid], ["", "", "", "", ""]);
    const claim = (name: string) => `authentication.kubernetes.io/${name}`;
    const extra = {
      [claim("pod-name")]: ["agent-x2"],
      [claim("pod-uid")]: ["p-1"],
      [claim("node-name")]: ["node-1"],
      [claim("node-uid")]: ["n-1"],
    };
    api.status = { ...accepted, user: { username: good, uid: "u-1", extra } };
    const bound = { podName: "agent-x2", podUid: "p-1", nodeName: "node-1", nodeUid: "n-1", uid: "u-1" };
    const expected = { namespace: "kube-system", serviceAccount: "konnectivity-agent", ...bound };
    assert.deepEqual(await authenticate(["Bearer bound"], forever), expected);
    // From the cache it is the same.
    assert.deepEqual(await authenticate(["Bearer bound"], forever), expected);
    // What could be read as two names is none.
    const odd = { [claim("pod-name")]: ["a", "b"], [claim("node-name")]: "node-1", [claim("node-uid")]: [7] };
    api.status = { ...accepted, user: { username: good, extra: odd } };
    const none = await authenticate(["Bearer odd"], forever);
    assert.deepEqual([none.podName, none.nodeName, none.nodeUid], ["", "", ""]);
  });
});
