import assert from "node:assert/strict";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { type ApiAccess, ApiAccessError } from "./api_access.ts";
import { inClusterAccess } from "./in_cluster.ts";
import { KubeError } from "../client/kube_error.ts";
import { parseKubeconfig } from "./kubeconfig.ts";
import { loadApiAccess } from "./load_access.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const path = "/etc/k/kubeconfig";

function config(cluster: string, user: string): string {
  return `
apiVersion: v1
kind: Config
current-context: main
clusters: [{name: c, cluster: {server: "https://api.example:6443", ${cluster}}}, {name: other, cluster: {server: "https://wrong"}}]
users:
- name: u
  user: {${user}}
contexts:
- {name: main, context: {cluster: c, user: u}}
- {name: second, context: {cluster: other, user: u}}
`;
}

function refusal(text: string): string {
  try {
    parseKubeconfig(text, path, systemClock);
  } catch (error) {
    assert.ok(error instanceof ApiAccessError);
    return error.message;
  }
  return assert.fail("it was taken");
}

async function inTempDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a kubeconfig's current context says which cluster and which user", async () => {
  const access = parseKubeconfig(
    config(`tls-server-name: kubernetes, proxy-url: "http://proxy:3128"`, "token: abc"),
    path,
    systemClock,
  );
  assert.equal(access.server.href, "https://api.example:6443/");
  assert.equal(access.serverName, "kubernetes");
  assert.equal(access.proxy?.shown, "http://proxy:3128");
  assert.equal(access.insecure, false);
  assert.deepEqual(await access.credentials(), { authorization: "Bearer abc" });
});

Deno.test("a kubeconfig may be JSON", async () => {
  const text = JSON.stringify({
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: "https://h", "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { username: "n", password: "p" } }],
  });
  const access = parseKubeconfig(text, path, systemClock);
  assert.equal(access.insecure, true);
  assert.deepEqual(await access.credentials(), { authorization: `Basic ${btoa("n:p")}` });
});

Deno.test("certificates and keys come inline, or from files beside the kubeconfig", async () => {
  const { ca, client } = await testCertificates();
  const inline = parseKubeconfig(
    config(
      `certificate-authority-data: ${btoa(ca.certPem)}`,
      `client-certificate-data: ${btoa(client.certPem)}, client-key-data: ${btoa(client.keyPem)}`,
    ),
    path,
    systemClock,
  );
  const expected = { ca: ca.certPem, cert: client.certPem, key: client.keyPem };
  assert.deepEqual(await inline.credentials(), expected);
  await inTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/pki`);
    await Deno.writeTextFile(`${dir}/pki/ca.crt`, ca.certPem);
    await Deno.writeTextFile(`${dir}/c.crt`, client.certPem);
    await Deno.writeTextFile(`${dir}/c.key`, client.keyPem);
    const text = config(
      "certificate-authority: pki/ca.crt",
      `client-certificate: ${dir}/c.crt, client-key: c.key`,
    );
    await Deno.writeTextFile(`${dir}/kubeconfig`, text);
    const access = await loadApiAccess(`${dir}/kubeconfig`, () => undefined, systemClock);
    assert.deepEqual(await access.credentials(), expected);
  });
});

Deno.test("a token file is read again when it is old or the API refused it, and survives a moment without it", async () => {
  await inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/token`, "one\n");
    const access = parseKubeconfig(config("", "tokenFile: token, token: inline"), `${dir}/kubeconfig`, systemClock);
    const authorization = async (from: ApiAccess) => (await from.credentials()).authorization;
    assert.equal(await authorization(access), "Bearer one");
    await Deno.writeTextFile(`${dir}/token`, "two\n");
    assert.equal(await authorization(access), "Bearer one");
    access.expire();
    assert.equal(await authorization(access), "Bearer two");
    await Deno.remove(`${dir}/token`);
    access.expire();
    assert.equal(await authorization(access), "Bearer two");
  });
});

Deno.test("a kubeconfig that cannot be used is refused with what is wrong", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [config("", "exec: {command: aws}"), /user "u" runs a program for its credentials/],
    [config("", "auth-provider: {name: gcp}"), /auth provider/],
    [config("", "as: root"), /acts as another user/],
    [config("", "client-certificate-data: YQ=="), /client-certificate and client-key are needed together/],
    [config("certificate-authority-data: '%%'", ""), /certificate-authority-data is not base64/],
    [config("certificate-authority-data: YQ==, insecure-skip-tls-verify: true", ""), /exclude each other/],
    [config("proxy-url: 'socks5://p:1'", ""), /proxy-url must be a URL that starts with http:\/\/ or https:\/\//],
    [config("", "").replace("https://api.example:6443", "api:6443"), /server must be a URL/],
    [config("", "").replace("current-context: main", ""), /has no current-context/],
    [config("", "").replace("current-context: main", "current-context: gone"), /has no context "gone"/],
    [config("", "").replace("{cluster: c, user: u}", "{cluster: d, user: u}"), /has no cluster "d"/],
    [config("", "").replace("{cluster: c, user: u}", "{cluster: c, user: v}"), /has no user "v"/],
    ["just text", /holds no configuration/],
    ["", /holds no configuration/],
  ];
  for (const [text, expected] of cases) {
    assert.match(refusal(text), expected);
    assert.match(refusal(text), /^\/etc\/k\/kubeconfig: /);
  }
});

Deno.test("a syntax error is told without the line, which may hold a secret", () => {
  const message = refusal(`users:\n- {name: u, user: {token: s3cret}\n`);
  assert.match(message, /is not YAML: error at line \d+/);
  assert.doesNotMatch(message, /s3cret/);
});

Deno.test("what a kubeconfig names must be there, readable and matching", async () => {
  const { client, server } = await testCertificates();
  await inTempDir(async (dir) => {
    const load = async (cluster: string, user: string): Promise<unknown> => {
      await Deno.writeTextFile(`${dir}/kubeconfig`, config(cluster, user));
      return await loadApiAccess(`${dir}/kubeconfig`, () => undefined, systemClock).catch((error) => error);
    };
    const expectFailure = (error: unknown, expected: RegExp) => {
      assert.ok(error instanceof KubeError && error.code === "bad-credentials", String(error));
      assert.match(error.message, expected);
    };
    expectFailure(await load("certificate-authority: gone.crt", ""), /cannot read certificate-authority .*gone\.crt/);
    expectFailure(await load("certificate-authority-data: YQ==", ""), /the certificate authority holds no certificate/);
    const pair = (cert: string, key: string) => `client-certificate-data: ${btoa(cert)}, client-key-data: ${btoa(key)}`;
    expectFailure(
      await load("", pair(client.certPem, server.keyPem)),
      /the client certificate cannot be used: private key does not match public key/,
    );
    expectFailure(await load("", pair(client.certPem, "x")), /the private key cannot be read/);
    const missing = await loadApiAccess(`${dir}/none`, () => undefined, systemClock).catch((error) => error);
    assert.ok(missing instanceof ApiAccessError);
    assert.match(missing.message, /cannot read kubeconfig .*none/);
  });
});

Deno.test("a pod finds its API by environment and files, and its token anew when it is replaced", async () => {
  const { ca } = await testCertificates();
  await inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/token`, "first");
    await Deno.writeTextFile(`${dir}/ca.crt`, ca.certPem);
    const variables: Record<string, string> = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
    const access = inClusterAccess((name) => variables[name], systemClock, dir);
    assert.equal(access.server.href, "https://[fd00::1]:6443/");
    assert.deepEqual(await access.credentials(), { ca: ca.certPem, authorization: "Bearer first" });
    await Deno.writeTextFile(`${dir}/token`, "second");
    access.expire();
    assert.equal((await access.credentials()).authorization, "Bearer second");
  });
  assert.throws(
    () => inClusterAccess(() => undefined, systemClock),
    (error) => error instanceof ApiAccessError && /KUBERNETES_SERVICE_HOST/.test(error.message),
  );
});
