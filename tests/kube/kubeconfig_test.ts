import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { issueAuthority } from "../../src/programs/certs/issue.ts";
import { memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { KubeClient } from "../../src/kube/client/kube_client.ts";
import { loadApiAccess } from "../../src/kube/access/load_access.ts";
import type { Cluster } from "./cluster.ts";
import { clusterTests } from "./kube_test_case.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

const { test } = await clusterTests();

/** Members of a kubeconfig's cluster and user. */
interface Form {
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly user: Readonly<Record<string, unknown>>;
}

/** A proxy for HTTP CONNECT without more. */
async function startProxy(): Promise<{ readonly url: string; readonly connections: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer();
  server.on("connect", (request, client: Socket) => {
    connections++;
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(target).pipe(client);
    });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  // A TCP server that listens has this form of address.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks the API who somebody is that has a kubeconfig of that form. */
async function whoIs(cluster: Cluster, form: Form): Promise<string> {
  const path = `${cluster.dir}/form.kubeconfig`;
  const text = JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "used",
    contexts: [
      { name: "unused", context: { cluster: "nowhere", user: "nobody" } },
      { name: "used", context: { cluster: "c", user: "u" } },
    ],
    clusters: [
      { name: "nowhere", cluster: { server: "https://127.0.0.1:1" } },
      { name: "c", cluster: { server: cluster.url, ...form.cluster } },
    ],
    users: [{ name: "nobody", user: { token: "wrong" } }, { name: "u", user: form.user }],
  });
  await Deno.writeTextFile(path, text);
  using client = new KubeClient(await loadApiAccess(path, () => undefined, systemClock), {
    userAgent: "test",
    clock: systemClock,
  });
  const { value } = await client.call({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  }, new AbortController().signal);
  return textMember(memberOf(memberOf(value, "status"), "userInfo"), "username");
}

test("a real kube-apiserver is reached as a kubeconfig says, in every form, and by nobody else's certificate", async (cluster) => {
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${cluster.dir}/${name}`, text);
    return name;
  };
  const certificate = await cluster.userCertificate("somebody");
  const { "client-certificate-data": cert = "", "client-key-data": key = "" } = certificate;
  const byFile = {
    "client-certificate": await write("somebody.crt", atob(cert)),
    "client-key": await write("somebody.key", atob(key)),
  };
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot", namespace: "default" } });
  const token = await cluster.createToken("default", "robot", "https://kubernetes");
  const robot = "system:serviceaccount:default:robot";
  const ca = { "certificate-authority-data": btoa(cluster.ca.certPem) };
  await using proxy = await startProxy();
  const forms: readonly (readonly [string, Form])[] = [
    ["somebody", { cluster: ca, user: certificate }],
    ["somebody", { cluster: { "certificate-authority": "ca.crt" }, user: byFile }],
    ["somebody", { cluster: { "certificate-authority": `${cluster.dir}/ca.crt` }, user: byFile }],
    [robot, { cluster: ca, user: { token } }],
    [robot, { cluster: ca, user: { tokenFile: await write("robot.token", `${token}\n`) } }],
    [robot, { cluster: { "insecure-skip-tls-verify": true }, user: { token } }],
    [robot, { cluster: { ...ca, "tls-server-name": "kubernetes" }, user: { token } }],
    [robot, { cluster: { ...ca, "proxy-url": proxy.url }, user: { token } }],
  ];
  for (const [name, form] of forms) assert.equal(await whoIs(cluster, form), name, JSON.stringify(form.cluster));
  assert.equal(proxy.connections, 1);
  const stranger = await issueAuthority({ commonName: "kube-ca", keyKind: "p-256" });
  const wrong: readonly Form["cluster"][] = [
    { "certificate-authority-data": btoa(stranger.certPem) },
    { ...ca, "tls-server-name": "another" },
    {},
  ];
  for (const each of wrong) {
    await assert.rejects(
      whoIs(cluster, { cluster: each, user: { token } }),
      { code: "unreachable" },
      JSON.stringify(each),
    );
  }
});
