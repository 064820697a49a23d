import assert from "node:assert/strict";
import { createServer } from "node:http";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { startConnectProxy } from "../../../tests/support/fakes/fake_connect_proxy.ts";
import { type FakeKubeApi, startFakeKubeApi } from "../../../tests/support/fakes/fake_kube_api.ts";
import { KubeClient } from "./kube_client.ts";
import { KubeError } from "./kube_error.ts";
import { loadApiAccess } from "../access/load_access.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const forever = new AbortController().signal;
const get = { method: "GET", path: "/apis/x", repeatable: false } as const;

/** No name server knows it, so that only a proxy can lead to it. */
const apiName = "api.invalid:6443";

/** Makes one call as a kubeconfig and the environment say. */
async function call(api: FakeKubeApi, cluster: string, env: Readonly<Record<string, string>>, scheme = "https") {
  const ca = btoa(api.certificates.ca.certPem);
  const trust = scheme === "http" ? "" : `, certificate-authority-data: ${ca}, tls-server-name: localhost`;
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      path,
      `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "${scheme}://${apiName}"${trust}${cluster}}}]
users: [{name: u, user: {token: t}}]`,
    );
    using client = new KubeClient(await loadApiAccess(path, (name) => env[name], systemClock), {
      userAgent: "test",
      clock: systemClock,
    });
    return (await client.call(get, forever)).value;
  } finally {
    await Deno.remove(path);
  }
}

async function failureOf(attempt: Promise<unknown>): Promise<KubeError> {
  const error = await attempt.then(() => assert.fail("it succeeded"), (reason) => reason);
  assert.ok(error instanceof KubeError, String(error));
  assert.equal(error.code, "unreachable", error.message);
  assert.doesNotMatch(Deno.inspect(error, { depth: 9 }), /secret/);
  return error;
}

leakTest("calls go through the proxy of the environment, and of the kubeconfig before that", async () => {
  await using api = await startFakeKubeApi();
  api.handle = (each) => each.answer(200, { through: "proxy" });
  await using named = await startConnectProxy({ targets: { [apiName]: api.port } });
  await using other = await startConnectProxy({ targets: { [apiName]: api.port } });
  const env = { HTTPS_PROXY: `http://env:secret@127.0.0.1:${other.port}` };
  assert.deepEqual(await call(api, "", env), { through: "proxy" });
  assert.deepEqual([named.users, other.users], [[], [`Basic ${btoa("env:secret")}`]]);
  const own = `, proxy-url: "http://me:s%65cret@127.0.0.1:${named.port}"`;
  for (const each of [{}, env, { HTTPS_PROXY: "socks5://unused" }, { ...env, NO_PROXY: "*" }]) {
    assert.deepEqual(await call(api, own, each), { through: "proxy" });
  }
  assert.deepEqual(named.users, Array(4).fill(`Basic ${btoa("me:secret")}`));
  assert.equal(other.accepted, 1);
  await until("no connection is left", () => named.open + other.open === 0);
});

leakTest("an API that NO_PROXY names, or that has no TLS, is not asked for at the environment's proxy", async () => {
  await using api = await startFakeKubeApi();
  await using proxy = await startConnectProxy({ targets: { [apiName]: api.port } });
  const HTTPS_PROXY = `http://127.0.0.1:${proxy.port}`;
  // Nobody but the proxy knows the name.
  await failureOf(call(api, "", { HTTPS_PROXY, NO_PROXY: ".invalid" }));
  await failureOf(call(api, "", { HTTPS_PROXY }, "http"));
  assert.equal(proxy.accepted, 0);
});

leakTest("an API without TLS is reached through the proxy that the kubeconfig names", async () => {
  await using api = await startFakeKubeApi();
  const plain = createServer((_request, response) => response.end('{"plain":true}'));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", () => resolve()));
  const address = plain.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await using proxy = await startConnectProxy({ targets: { [apiName]: port } });
  const cluster = `, proxy-url: "http://127.0.0.1:${proxy.port}"`;
  assert.deepEqual(await call(api, cluster, {}, "http"), { plain: true });
  await new Promise((resolve) => plain.close(resolve));
});

leakTest(
  "a proxy that refuses makes the API unreachable, and a proxy that cannot be used is told at the start",
  async () => {
    await using api = await startFakeKubeApi();
    await using proxy = await startConnectProxy({
      targets: (client) => void client.end("HTTP/1.1 403 Forbidden\r\n\r\n"),
    });
    const address = `http://me:secret@127.0.0.1:${proxy.port}`;
    for (const [cluster, env] of [[`, proxy-url: "${address}"`, {}], ["", { https_proxy: address }]] as const) {
      const { message } = await failureOf(call(api, cluster, env));
      assert.match(
        message,
        /cannot reach the Kubernetes API at api\.invalid:6443: proxy http:\/\/127\.0\.0\.1:\d+ answered 403/,
      );
    }
    assert.equal(api.connections, 0);
    await assert.rejects(call(api, "", { HTTPS_PROXY: "http://me:secret@:1" }), {
      name: "ProxySettingsError",
      message: "HTTPS_PROXY is no URL with a host and a port up to 65535, such as http://proxy.example:3128",
    });
  },
);
