import assert from "node:assert/strict";
import { type FakeCall, type FakeKubeApi, startFakeKubeApi } from "../../../tests/support/fakes/fake_kube_api.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { makeTestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { ApiAccess, ApiCredentials } from "../access/api_access.ts";
import { KubeClient, type KubeClientOptions } from "./kube_client.ts";
import { KubeError, type KubeErrorCode } from "./kube_error.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const forever = new AbortController().signal;
const get = { method: "GET", path: "/apis/x" } as const;

function accessTo(api: FakeKubeApi, change: Partial<ApiAccess> = {}, credentials: ApiCredentials = {}): ApiAccess {
  return {
    server: new URL(api.url),
    insecure: false,
    credentials: () => Promise.resolve({ ca: api.certificates.ca.certPem, ...credentials }),
    expire: () => {},
    ...change,
  };
}

function clientFor(access: ApiAccess, options: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient(access, {
    userAgent: "test",
    qps: 1000,
    burst: 1000,
    random: () => 0,
    clock: systemClock,
    ...options,
  });
}

async function failureOf(call: Promise<unknown>, code: KubeErrorCode): Promise<KubeError> {
  const error = await call.then(() => assert.fail("it succeeded"), (reason) => reason);
  assert.ok(error instanceof KubeError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

leakTest("calls are JSON, with what the credentials say", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (call) => call.answer(200, { you: call.body ?? null });
  const { client: pair } = api.certificates;
  using client = clientFor(accessTo(api, {}, { cert: pair.certPem, key: pair.keyPem, authorization: "Bearer t" }));
  const posted = await client.call({ method: "POST", path: "/a/b", query: { q: "ä b" }, body: { a: "ü" } }, forever);
  assert.deepEqual(posted.value, { you: { a: "ü" } });
  assert.ok(posted.apiTimeMs !== undefined && Math.abs(posted.apiTimeMs - Date.now()) < 60_000);
  const [first] = api.calls;
  assert.equal(first?.path, "/a/b");
  assert.equal(first?.query.get("q"), "ä b");
  assert.equal(first?.commonName, "test client");
  assert.equal(first?.headers.authorization, "Bearer t");
  assert.equal(first?.headers["user-agent"], "test");
  assert.equal(first?.headers["content-type"], "application/json");
  assert.equal(first?.headers.accept, "application/json");
});

leakTest("an API behind a path is called there", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (call) => call.answer(200, {});
  using client = clientFor(accessTo(api, { server: new URL(`${api.url}/clusters/one/`) }));
  await client.call(get, forever);
  assert.equal(api.calls[0]?.path, "/clusters/one/apis/x");
});

leakTest("only the cluster's CA is trusted, for the right name, unless told not to look", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (call) => call.answer(200, {});
  const call = async (access: ApiAccess) => {
    using client = clientFor(access);
    return await client.call(get, forever);
  };
  const stranger = await makeTestCertificates("stranger");
  await failureOf(call(accessTo(api, {}, { ca: stranger.ca.certPem })), "unreachable");
  await failureOf(call(accessTo(api, { serverName: "elsewhere" })), "unreachable");
  await failureOf(call(accessTo(api, { serverName: "10.1.2.3" })), "unreachable");
  assert.equal(api.calls.length, 0);
  await call(accessTo(api, { serverName: "localhost" }));
  await call(accessTo(api, { serverName: "127.0.0.1" }));
  await call(accessTo(api, { insecure: true, credentials: () => Promise.resolve({}) }));
  assert.equal(api.calls.length, 3);
});

leakTest("certificates that were replaced are in use with the next call", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (call) => call.answer(200, {});
  const { ca, client: pair } = api.certificates;
  let now: ApiCredentials = { ca: ca.certPem };
  using client = clientFor(accessTo(api, { credentials: () => Promise.resolve(now) }));
  await client.call(get, forever);
  now = { ca: ca.certPem, cert: pair.certPem, key: pair.keyPem };
  await client.call(get, forever);
  assert.deepEqual(api.calls.map(({ commonName }) => commonName), ["", "test client"]);
  now = { ca: "broken" };
  await failureOf(client.call(get, forever), "bad-credentials");
});

leakTest("an error of the API comes with its status, its reason and its message", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (call) => call.fail(403, "Forbidden", "leases are not for you");
  using client = clientFor(accessTo(api, {}, { authorization: "Bearer s3cret" }));
  const error = await failureOf(client.call(get, forever), "status");
  assert.equal(error.status, 403);
  assert.equal(error.reason, "Forbidden");
  assert.equal(error.message, "GET /apis/x: the Kubernetes API answered 403: leases are not for you");
  assert.equal(api.calls.length, 1);
  assert.doesNotMatch(Deno.inspect(error, { depth: 20 }), /s3cret/);
});

leakTest("an answer that is no JSON is told apart from one that broke off", async () => {
  await using api = await startFakeKubeApi();
  using client = clientFor(accessTo(api));
  api.handle = (call) => call.stream().end();
  await failureOf(client.call(get, forever), "malformed");
  api.handle = (call) => {
    call.stream().send({ half: true });
    setTimeout(() => call.drop(), 10);
  };
  await failureOf(client.call({ ...get, repeatable: false }, forever), "unreachable");
});

leakTest("reading is tried again where that may help, writing only where the API did not begin", async () => {
  await using api = await startFakeKubeApi();
  using client = clientFor(accessTo(api));
  const answers: ((call: FakeCall) => void)[] = [];
  api.handle = (call) => (answers.shift() ?? ((last: FakeCall) => last.answer(200, { done: true })))(call);
  const post = { method: "POST", path: "/p", body: {} } as const;

  answers.push((call) => call.fail(503, "ServiceUnavailable"), (call) => call.drop());
  assert.deepEqual((await client.call(get, forever)).value, { done: true });
  answers.push((call) => call.fail(429, "TooManyRequests", "slow down", { "retry-after": "0" }));
  assert.deepEqual((await client.call(post, forever)).value, { done: true });
  answers.push((call) => call.fail(500, "InternalError"));
  assert.equal((await failureOf(client.call(post, forever), "status")).status, 500);
  for (let at = 0; at < 3; at++) answers.push((call) => call.fail(502, "BadGateway"));
  assert.equal((await failureOf(client.call(get, forever), "status")).status, 502);
  assert.equal(answers.length, 0);
});

leakTest("a call that waits for its turn, and one that the API asks to wait, are told of", async () => {
  await using api = await startFakeKubeApi();
  const told: string[] = [];
  using client = clientFor(accessTo(api), { qps: 50, burst: 1, onThrottled: (by) => told.push(by) });
  api.handle = (call) => call.answer(200, {});
  await client.call(get, forever);
  assert.deepEqual(told, []);
  await Promise.all([client.call(get, forever), client.call(get, forever)]);
  assert.ok(told.length > 0 && told.every((by) => by === "rate"), told.join());
  told.length = 0;
  let asked = 0;
  api.handle = (call) => {
    if (++asked === 1) call.fail(429, "TooManyRequests", "slow down", { "retry-after": "0" });
    else call.answer(200, {});
  };
  await client.call(get, forever);
  assert.deepEqual(told.filter((by) => by === "api"), ["api"]);
});

leakTest("the time that the API asks to wait is kept to", async () => {
  await using api = await startFakeKubeApi();
  using client = clientFor(accessTo(api));
  const times: number[] = [];
  api.handle = (call) => {
    times.push(performance.now());
    if (times.length === 1) call.fail(429, "TooManyRequests", "slow down", { "retry-after": "1" });
    else call.answer(200, {});
  };
  await client.call(get, forever);
  const [first = 0, second = 0] = times;
  assert.ok(second - first >= 990, `${second - first}`);
});

leakTest("a token that was refused is read again, once", async () => {
  await using api = await startFakeKubeApi();
  let token = "old";
  using client = clientFor(accessTo(api, {
    credentials: () => Promise.resolve({ ca: api.certificates.ca.certPem, authorization: `Bearer ${token}` }),
    expire: () => token = "new",
  }));
  api.handle = (call) =>
    call.headers.authorization === "Bearer new" ? call.answer(200, {}) : call.fail(401, "Unauthorized");
  await client.call(get, forever);
  assert.equal(api.calls.length, 2);
  api.handle = (call) => call.fail(401, "Unauthorized");
  assert.equal((await failureOf(client.call(get, forever), "status")).status, 401);
  assert.equal(api.calls.length, 4);
});

leakTest("an API that does not answer is given up, and so is a call whose caller gave up", async () => {
  await using api = await startFakeKubeApi();
  api.handle = () => {};
  using client = clientFor(accessTo(api), { timeoutMs: 50 });
  const error = await failureOf(client.call({ method: "POST", path: "/p", body: {} }, forever), "timeout");
  assert.match(error.message, /POST \/p: nothing came in 50 ms/);
  using patient = clientFor(accessTo(api));
  const given = new AbortController();
  const call = patient.call(get, given.signal);
  await until("the call arrives", () => api.calls.length === 2);
  given.abort(new Error("enough"));
  await assert.rejects(call, /^Error: enough$/);
});

leakTest("a port that nobody listens on is said to be unreachable, with its address", async () => {
  const api = await startFakeKubeApi();
  const access = accessTo(api);
  await api.stop();
  using client = clientFor(access);
  const error = await failureOf(client.call(get, forever), "unreachable");
  assert.match(error.message, new RegExp(`cannot reach the Kubernetes API at ${access.server.host}: .*refused`, "i"));
});

leakTest("a stream brings values as they come, until the API ends it", async () => {
  await using api = await startFakeKubeApi();
  using client = clientFor(accessTo(api));
  let stream: ReturnType<FakeCall["stream"]> | undefined;
  api.handle = (call) => stream = call.stream();
  const values = await client.stream(get, 60_000, forever);
  stream?.send({ n: 1 });
  const seen: unknown[] = [];
  for await (const value of values) {
    seen.push(value);
    if (seen.length === 1) stream?.send({ text: "ä".repeat(100_000) });
    else stream?.end();
  }
  assert.deepEqual(seen, [{ n: 1 }, { text: "ä".repeat(100_000) }]);
});

leakTest("a stream that is silent for too long, breaks or is given up says so", async () => {
  await using api = await startFakeKubeApi();
  using client = clientFor(accessTo(api));
  const read = async (idleMs: number, signal: AbortSignal) => {
    for await (const _value of await client.stream(get, idleMs, signal)) {
      // Only the end counts.
    }
  };
  api.handle = (call) => call.stream();
  await failureOf(read(50, forever), "timeout");
  const given = new AbortController();
  const reading = read(60_000, given.signal);
  await until("the stream is open", () => api.calls.length === 2);
  given.abort(new Error("enough"));
  await assert.rejects(reading, /^Error: enough$/);
  api.handle = (call) => {
    call.stream().send({});
    setTimeout(() => call.drop(), 10);
  };
  await failureOf(read(60_000, forever), "unreachable");
  api.handle = (call) => call.fail(410, "Expired");
  assert.equal((await failureOf(read(60_000, forever), "status")).status, 410);
  await until("the API sees no stream any more", () => api.streams === 0);
});

leakTest(
  "--kubeconfig-qps and --kubeconfig-burst bound the calls: so many at once, then so many a second",
  async () => {
    await using api = await startFakeKubeApi();
    const times: number[] = [];
    api.handle = (call) => {
      times.push(performance.now());
      call.answer(200, {});
    };
    using client = clientFor(accessTo(api), { qps: 20, burst: 3 });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 8 }, () => client.call(get, forever)));
    // Five calls behind the burst, each 50 ms after the one before.
    assert.ok(performance.now() - startedAt >= 240);
    assert.equal(times.length, 8);
  },
);
