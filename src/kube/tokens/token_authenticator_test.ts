import { Code } from "@connectrpc/connect";
import { configureSync, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { memberOf } from "../client/json_value.ts";
import {
  accepted,
  assertRefused,
  audience,
  forever,
  good,
  prefix,
  refusal,
  type Status,
  world,
} from "../../../tests/support/in_process/token_world.ts";

leakTest("[server 13.5-1] Token auth: no token metadata: refused", () =>
  world(async (authenticate, { reviews }) => {
    await assertRefused(
      refusal(authenticate),
      Code.Unauthenticated,
      "Authentication context was not found in metadata",
    );
    assert.equal(reviews.length, 0);
  }));

leakTest(
  "[server 13.5-2] Token auth: token under another metadata key: refused",
  () =>
    world(async (authenticate, { reviews }) => {
      const server = new ServerWorld({ authenticate });
      const agent = await server.agent({ "x-authorization": "Bearer abc" });
      await until("it is refused", () => agent.refusal !== undefined);
      assert.equal(agent.refusal?.rawMessage, "Authentication context was not found in metadata");
      assert.equal(reviews.length, 0);
    }),
);

leakTest(
  "[server 13.5-3] Token auth: token without `Bearer `: refused",
  () =>
    world(async (authenticate, { reviews }) => {
      for (const value of ["abc", "bearer abc", "Bearer", "Basic abc"]) {
        await assertRefused(
          refusal(authenticate, value),
          Code.Unauthenticated,
          `received token does not have "Bearer " prefix`,
        );
      }
      assert.equal(reviews.length, 0);
    }),
);

leakTest("[server 13.5-4] Token auth: two Bearer tokens: refused", () =>
  world(async (authenticate, { reviews }) => {
    await assertRefused(
      refusal(authenticate, "Bearer a", "Bearer b"),
      Code.Unauthenticated,
      "too many (2) tokens are received",
    );
    assert.equal(reviews.length, 0);
  }));

leakTest(
  "[server 13.5-5] Token auth: review says not authenticated: refused",
  () =>
    world(async (authenticate, api) => {
      api.status = { authenticated: false };
      await assertRefused(
        refusal(authenticate, "Bearer a"),
        Code.Unauthenticated,
        `${prefix}lookup failed: service account jwt not valid`,
      );
      api.status = { error: "[invalid bearer token]" };
      await assertRefused(
        refusal(authenticate, "Bearer b"),
        Code.Unauthenticated,
        `${prefix}lookup failed: [invalid bearer token]`,
      );
    }),
);

leakTest(
  "[server 13.5-6] Token auth: review call errors: refused, as something that may pass",
  () =>
    world(async (authenticate, api) => {
      api.handle = (call) => call.fail(403, "Forbidden", "user s1 cannot create tokenreviews at api.internal");
      await assertRefused(
        refusal(authenticate, "Bearer a"),
        Code.Unavailable,
        `${prefix}Failed to authenticate request. err:Forbidden`,
      );
      // Nothing is known of the token, so the next agent is not refused for it.
      api.handle = undefined;
      await authenticate(["Bearer a"], forever);
    }),
);

leakTest(
  "[server 13.5-7] Token auth: authenticated but other namespace expected: refused",
  () =>
    world(async (authenticate, api) => {
      api.status = { ...accepted, user: { username: "system:serviceaccount:other:konnectivity-agent" } };
      await assertRefused(
        refusal(authenticate, "Bearer a"),
        Code.PermissionDenied,
        `${prefix}lookup failed: incoming request from "other" namespace`,
      );
    }),
);

leakTest(
  "[server 13.5-8] Token auth: authenticated but other service account expected: refused",
  () =>
    world(async (authenticate, api) => {
      api.status = { ...accepted, user: { username: "system:serviceaccount:kube-system:other" } };
      await assertRefused(
        refusal(authenticate, "Bearer a"),
        Code.PermissionDenied,
        `${prefix}lookup failed: incoming request from "other" service account`,
      );
    }),
);

leakTest("[server 13.5-9] Token auth: all match: let in", () =>
  world(async (authenticate, { reviews }) => {
    await authenticate(["Bearer the-token"], forever);
    const [call] = reviews;
    assert.equal(`${call?.method} ${call?.path}`, "POST /apis/authentication.k8s.io/v1/tokenreviews");
    assert.deepEqual(memberOf(call?.body, "spec"), { token: "the-token", audiences: [audience] });
  }));

leakTest(
  "[server W23] the audiences in the answer count: one that names none may be of an API that knows none",
  () =>
    world(async (authenticate, api) => {
      for (const audiences of [undefined, [], ["https://kubernetes"], "system:konnectivity-server"]) {
        api.status = { authenticated: true, user: { username: good }, audiences };
        await assertRefused(
          refusal(authenticate, `Bearer ${JSON.stringify(audiences)}`),
          Code.Unauthenticated,
          `${prefix}lookup failed: service account jwt not valid for this audience`,
        );
      }
    }),
);

leakTest("[server W23] no refusal tells a stranger whom the server expects", () =>
  world(async (authenticate, api) => {
    const format = "unexpected username format";
    const kind = "username returned is not a service account";
    const users = [
      ["", format],
      ["admin", format],
      ["system:serviceaccount:a", format],
      ["a:b:c:d", kind],
      ["system:node:n1:x", kind],
      ["node:serviceaccount:n1:x", kind],
      ["system:serviceaccount:a:b:c", format],
      ["system:serviceaccount:a:b", `incoming request from "a" namespace`],
    ] as const;
    for (const [username, text] of users) {
      api.status = { ...accepted, user: { username } };
      const error = await refusal(authenticate, `Bearer t-${username}`);
      assert.equal(Code[error.code], "PermissionDenied", username);
      assert.equal(error.rawMessage, `${prefix}lookup failed: ${text}`);
      assert.doesNotMatch(error.message, /kube-system|konnectivity-agent|system:konnectivity-server/);
    }
  }));

leakTest("the log says of a refused agent whom the server expects, which the agent is not told", async () => {
  const lines: string[] = [];
  configureSync({
    sinks: { lines: (record) => lines.push(record.message.join("")) },
    loggers: [{ category: ["kube", "tokens"], sinks: ["lines"] }, { category: ["logtape"], lowestLevel: "error" }],
  });
  try {
    await world(async (authenticate, api) => {
      const says = async (status: Status) => {
        api.status = status;
        await refusal(authenticate, `Bearer ${JSON.stringify(status)}`);
        return lines.splice(0).join();
      };
      const namespace = { username: "system:serviceaccount:other:konnectivity-agent" };
      assert.match(await says({ ...accepted, user: namespace }), /"other" namespace, expected ".?kube-system/);
      const account = { username: "system:serviceaccount:kube-system:other" };
      assert.match(
        await says({ ...accepted, user: account }),
        /"other" service account, expected ".?konnectivity-agent/,
      );
      assert.match(
        await says({ ...accepted, audiences: ["x"] }),
        /is for .*x.*, expected .*system:konnectivity-server/,
      );
      // There is nothing to add to what the agent is told.
      assert.equal(await says({ ...accepted, user: { username: "admin" } }), "");
      assert.equal(await says({ authenticated: false }), "");
    });
  } finally {
    resetSync();
  }
});

leakTest("[server W23] an API that does not answer is given up in time", () =>
  world(async (authenticate, api) => {
    api.handle = () => {};
    await assertRefused(
      refusal(authenticate, "Bearer a"),
      Code.Unavailable,
      `${prefix}Failed to authenticate request. err:no answer`,
    );
  }, { timeoutMs: 50 }));
