import assert from "node:assert/strict";
import { kubeAccessOf, noKubeAccess } from "./kube_access.ts";

/** What a kubeconfig at /k/config takes, with these entries for its cluster and its user. */
async function access(cluster: string, user: string, change: (text: string) => string = (text) => text) {
  const text = change(`
current-context: main
contexts: [{name: main, context: {cluster: c, user: u}}]
clusters:
- name: c
  cluster:
    server: https://api.example
${cluster}
users:
- name: u
  user:
    password: "tokenFile: /not/this"
${user}
`);
  return await kubeAccessOf("/k/config", { env: () => undefined, readText: () => text });
}

const broken = { ...noKubeAccess, read: ["/k/config"] };

Deno.test("a kubeconfig grants the very files that the program reads of it, however they are written", async () => {
  const paths: readonly (readonly [written: string, path: string])[] = [
    [`ca.crt`, "/k/ca.crt"],
    [`../pki/ca.crt`, "/pki/ca.crt"],
    [`"my pki/ca.crt"`, "/k/my pki/ca.crt"],
    [`'/it''s/ca.crt'`, "/it's/ca.crt"],
    [`/a b/ca.crt`, "/a b/ca.crt"],
    [`/a}b/ca.crt # a comment`, "/a}b/ca.crt"],
    [`>-\n      /folded/ca.crt`, "/folded/ca.crt"],
    [`"\\u002fescaped"`, "/escaped"],
  ];
  for (const [written, path] of paths) {
    const { read } = await access(`    certificate-authority: ${written}`, "");
    assert.deepEqual(read, ["/k/config", path], written);
  }
});

Deno.test("a file that the kubeconfig's own text replaces is not granted", async () => {
  const { read } = await access(
    "    certificate-authority: ca.crt\n    certificate-authority-data: AAAA",
    "    client-certificate-data: AAAA\n    client-key-data: AAAA\n    client-certificate: u.crt\n    client-key: u.key",
  );
  assert.deepEqual(read, ["/k/config"]);
});

Deno.test("the way to the API leads through the proxy that a kubeconfig names, and to nobody else", async () => {
  assert.deepEqual((await access("", "")).net, ["api.example:443"]);
  assert.deepEqual((await access("    proxy-url: http://proxy", "")).net, ["proxy:80"]);
  assert.deepEqual((await access("    proxy-url: https://[fd00::1]", "")).net, ["[fd00::1]:443"]);
});

Deno.test("a kubeconfig that the program refuses grants no more than to read it", async () => {
  assert.deepEqual(await access("", "    client-key: u.key"), broken);
  assert.deepEqual(await access("    certificate-authority: ca.crt", "    exec: { command: aws }"), broken);
  const cut = (text: string) => text.slice(0, text.length / 2) + '"';
  assert.deepEqual(await access("    certificate-authority: ca.crt", "    client-key: u.key", cut), broken);
  assert.deepEqual(await access("", "", () => ""), broken);
  const gone = () => {
    throw new Error("no such file");
  };
  assert.deepEqual(await kubeAccessOf("/k/config", { env: () => undefined, readText: gone }), broken);
});

Deno.test("a pod's API may be reached where its environment says, and nowhere without", async () => {
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  const of = (names: Readonly<Record<string, string>>) =>
    kubeAccessOf("", { env: (name) => names[name], readText: () => "" });
  assert.deepEqual((await of(env)).net, ["[fd00::1]:6443"]);
  assert.deepEqual((await of({})).net, []);
  assert.deepEqual((await of({ ...env, KUBERNETES_SERVICE_PORT: "x" })).net, []);
});

Deno.test("the way to the API leads through the proxy that a kubeconfig names, whatever the environment does", async () => {
  const text = JSON.stringify({
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "c" } }],
    clusters: [{ name: "c", cluster: { server: "https://api:6443", "proxy-url": "http://proxy:3128" } }],
  });
  const env = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
  for (const other of [undefined, "http://other:3128", "socks5://other:1080"]) {
    const access = await kubeAccessOf("/k", {
      env: (name) => name === "HTTPS_PROXY" ? other : undefined,
      readText: () => text,
    });
    assert.deepEqual(access, { net: ["proxy:3128"], read: ["/k"], env });
  }
});
