import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { parseAgentFlags } from "../../src/programs/agent/agent_flags.ts";
import { parseServerFlags } from "../../src/programs/server/server_flags.ts";
import { parseTestClientFlags } from "../../src/programs/test/test_client_flags.ts";
import { parseTestServerFlags } from "../../src/programs/test/test_server_flags.ts";
import { listMember, memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { shellCommands } from "../support/processes/readme_commands.ts";
import { Cluster } from "./cluster.ts";
import { clusterTests, kubeTest } from "./kube_test_case.ts";
import {
  type Container,
  containersOf,
  examples,
  kindOf,
  kustomize,
  type Manifest,
  nameOf,
  readManifests,
} from "./manifests.ts";
import { definePrometheusTypes } from "./prometheus_operator.ts";

const { test } = await clusterTests();

/** The set of each example that is applied to a cluster together. */
const sets: Readonly<Record<string, (cluster: Cluster) => Promise<Manifest[]>>> = {
  "kubernetes/base": (cluster) => kustomize(cluster, "kubernetes/base"),
  "kubernetes/control-plane": () => readManifests("kubernetes/control-plane/konnectivity-server.yaml"),
  "kubernetes/test": (cluster) => kustomize(cluster, "kubernetes/test"),
  "kubernetes/monitoring": (cluster) => kustomize(cluster, "kubernetes/monitoring"),
  "kind": async () => [
    ...await readManifests("kind/konnectivity-server.yaml"),
    ...await readManifests("kind/konnectivity-agent-ds.yaml"),
  ],
  "kind-multinode": async () => [
    ...await readManifests("kind-multinode/templates/konnectivity-server.yaml"),
    ...await readManifests("kind-multinode/templates/konnectivity-agent-ds.yaml"),
  ],
};

async function applyText(cluster: Cluster, manifests: readonly Manifest[], ...flags: string[]): Promise<string[]> {
  const list = { apiVersion: "v1", kind: "List", items: manifests };
  const { code, stdout, stderr } = await cluster.kubectl(
    ["apply", "--validate=strict", ...flags, "-f", "-"],
    new TextEncoder().encode(JSON.stringify(list)),
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** A namespace stays: the controller that would empty a deleted one does not run here. */
async function removeAll(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  const items = manifests.filter((manifest) => kindOf(manifest) !== "Namespace");
  const list = { apiVersion: "v1", kind: "List", items };
  await cluster.kubectl(["delete", "--wait=false", "-f", "-"], new TextEncoder().encode(JSON.stringify(list)));
}

for (const [name, read] of Object.entries(sets)) {
  test(`examples/${name}: a real kube-apiserver takes each manifest, first on trial, then for good`, async (cluster) => {
    await definePrometheusTypes(cluster);
    const manifests = await read(cluster);
    assert.ok(manifests.length > 0);
    // On trial nothing is made, and what is to lie in a namespace needs it.
    const namespaces = manifests.filter((manifest) => kindOf(manifest) === "Namespace");
    if (namespaces.length > 0) await applyText(cluster, namespaces);
    assert.equal((await applyText(cluster, manifests, "--dry-run=server")).length, manifests.length);
    const lines = await applyText(cluster, manifests);
    assert.equal(lines.length, manifests.length);
    // Once more changes nothing: what is kept is what is written. kubectl writes a budget's selector always.
    for (const line of await applyText(cluster, manifests)) {
      assert.match(line, line.startsWith("poddisruptionbudget.") ? / configured$/ : / unchanged$/);
    }
    await removeAll(cluster, manifests);
  });

  test(`examples/${name}: the programs take their flags, with bounds on what they may use and do`, async (cluster) => {
    const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
    for (const manifest of await read(cluster)) {
      for (const container of containersOf(manifest)) checkContainer(container, nameOf(manifest), version);
    }
  });
}

function checkContainer(container: Container, name: string, version: string): void {
  const parse = {
    "/proxy-server": parseServerFlags,
    "/proxy-agent": parseAgentFlags,
    "/proxy-test-client": parseTestClientFlags,
    "/http-test-server": parseTestServerFlags,
  }[container.program];
  assert.ok(parse !== undefined, `${name} runs ${container.program}`);
  // Ports come from the environment, too.
  const parsed = parse(container.args.map((arg) => arg.replace(/\$\(\w+\)/g, "1")), () => undefined);
  assert.equal(parsed.kind, "options", `${name}: ${parsed.kind === "error" ? parsed.message : ""}`);
  assert.equal(container.image, `konnectivity${container.program}:v${version}`);
  const { value, podSpec } = container;
  const resources = memberOf(value, "resources");
  for (const bound of [memberOf(resources, "requests"), memberOf(resources, "limits")]) {
    assert.match(textMember(bound, "memory"), /^\d+[MG]i$/);
  }
  const security = memberOf(value, "securityContext");
  assert.equal(memberOf(security, "readOnlyRootFilesystem"), true);
  assert.equal(memberOf(security, "allowPrivilegeEscalation"), false);
  assert.deepEqual(listMember(memberOf(security, "capabilities"), "drop"), ["ALL"]);
  // Kubernetes replaces $(NAME) in arguments, and nothing else: ${NAME} would reach the program as it is.
  for (const arg of container.args) {
    assert.doesNotMatch(arg, /\$\{/);
    for (const [, variable] of arg.matchAll(/\$\((\w+)\)/g)) {
      assert.ok(
        listMember(value, "env").some((entry) => memberOf(entry, "name") === variable),
        `${variable} is not set`,
      );
    }
  }
  assert.equal(textMember(memberOf(memberOf(podSpec, "securityContext"), "seccompProfile"), "type"), "RuntimeDefault");
  checkSecrets(container, name);
  const cache = listMember(value, "volumeMounts").find((mount) => memberOf(mount, "mountPath") === "/cache");
  const cacheVolume = listMember(podSpec, "volumes").find((volume) =>
    memberOf(volume, "name") === memberOf(cache, "name")
  );
  assert.ok(memberOf(cacheVolume, "emptyDir") !== undefined, `${name} has no folder for what the runtime keeps`);
  const mounted = listMember(value, "volumeMounts").map((mount) => memberOf(mount, "name"));
  assert.deepEqual(listMember(podSpec, "volumes").map((volume) => memberOf(volume, "name")), mounted);
}

/** Flags with which a program asks something of the Kubernetes API, and needs a token for that. */
const apiFlags = ["--count-server-leases", "--enable-lease-controller", "--authentication-audience="];

/** A pod holds no key and no token that its program does not use. */
function checkSecrets({ args, podSpec }: Container, name: string): void {
  const asksApi = apiFlags.some((flag) => args.some((arg) => arg.startsWith(flag)));
  const outside = args.some((arg) => arg.startsWith("--kubeconfig="));
  if (!asksApi || outside) {
    const own = memberOf(podSpec, "automountServiceAccountToken");
    assert.equal(own, false, `${name} is given a token for an API that it does not ask by it`);
  }
  for (const volume of listMember(podSpec, "volumes")) {
    const path = textMember(memberOf(volume, "hostPath"), "path");
    if (path === "") continue;
    // What is in it but for these: the keys of the cluster's CA, of etcd, of service accounts.
    if (path.startsWith("/etc/kubernetes/pki")) {
      assert.match(path, /^\/etc\/kubernetes\/pki\/apiserver\.(crt|key)$/, `${name} mounts ${path}`);
      assert.equal(textMember(memberOf(volume, "hostPath"), "type"), "File");
    } else assert.match(path, /^\/etc\/kubernetes\/konnectivity-server/, `${name} mounts ${path}`);
    assert.ok(args.some((arg) => arg.includes(path)), `${name} mounts ${path}, which no flag names`);
  }
}

test("the server's role is enough for it, and for nothing else; so is the agent's", async (cluster) => {
  for (const name of ["kubernetes/base", "kind-multinode"]) {
    const server = name === "kind-multinode"
      ? "system:serviceaccount:kube-system:konnectivity-server"
      : "system:konnectivity-server";
    const agent = "system:serviceaccount:kube-system:konnectivity-agent";
    const manifests = await sets[name]?.(cluster) ?? [];
    await applyText(cluster, manifests);
    const may = async (user: string, ...what: string[]) =>
      (await cluster.kubectl(["auth", "can-i", `--as=${user}`, ...what])).code === 0;
    const leases = "leases.coordination.k8s.io";
    for (const verb of ["get", "list", "create", "update", "delete"]) {
      assert.ok(await may(server, verb, leases, "-n=konnectivity-leases"), `${server} may not ${verb} leases`);
      for (const other of ["default", "kube-system", "kube-node-lease"]) {
        assert.ok(!await may(server, verb, leases, `-n=${other}`), `${server} may ${verb} leases in ${other}`);
      }
    }
    assert.ok(await may(server, "create", "tokenreviews.authentication.k8s.io"));
    for (const verb of ["get", "list", "watch"]) assert.ok(await may(agent, verb, leases, "-n=konnectivity-leases"));
    for (const verb of ["create", "update", "delete"]) {
      assert.ok(!await may(agent, verb, leases, "-n=konnectivity-leases"));
    }
    for (const verb of ["get", "list", "watch"]) assert.ok(!await may(agent, verb, leases, "-n=kube-system"));
    for (const user of [server, agent]) {
      assert.ok(!await may(user, "get", "secrets", "-n=kube-system"));
      assert.ok(!await may(user, "list", "pods", "-n=kube-system"));
      assert.ok(!await may(user, "create", "subjectaccessreviews.authorization.k8s.io"));
    }
    await removeAll(cluster, manifests);
  }
});

test("make-kubeconfig.sh makes a kubeconfig that a real kube-apiserver knows as the server's", async (cluster) => {
  const pki = `${cluster.dir}/pki`;
  await Deno.mkdir(pki, { recursive: true });
  await Deno.writeTextFile(`${pki}/ca.crt`, cluster.ca.certPem);
  await Deno.writeTextFile(`${pki}/ca.key`, cluster.ca.keyPem);
  const path = `${cluster.dir}/server.conf`;
  const script = `${examples}/kubernetes/control-plane/make-kubeconfig.sh`;
  const { code, stderr } = await new Deno.Command("sh", { args: [script, cluster.url, pki, path] }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const said = await cluster.kubectlText(
    `--kubeconfig=${path}`,
    "auth",
    "whoami",
    "-o=jsonpath={.status.userInfo.username}",
  );
  assert.equal(said, "system:konnectivity-server");
});

test("make-certificate.sh makes a certificate that is the server's alone, and a second run replaces it", async (cluster) => {
  const pki = `${cluster.dir}/certificate-pki`;
  await Deno.mkdir(pki, { recursive: true });
  await Deno.writeTextFile(`${pki}/ca.crt`, cluster.ca.certPem);
  await Deno.writeTextFile(`${pki}/ca.key`, cluster.ca.keyPem);
  const folder = `${cluster.dir}/konnectivity-server-pki`;
  const script = `${examples}/kubernetes/control-plane/make-certificate.sh`;
  const make = async (...names: string[]) => {
    const { code, stderr } = await new Deno.Command("sh", {
      args: [script, ...names],
      env: { PKI: pki, FOLDER: folder },
    })
      .output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return new X509Certificate(await Deno.readTextFile(`${folder}/tls.crt`));
  };
  const first = await make();
  assert.equal(first.subjectAltName, "DNS:konnectivity-server.kube-system.svc.cluster.local");
  assert.ok(first.checkIssued(new X509Certificate(cluster.ca.certPem)));
  const purposes = await new Deno.Command("openssl", {
    args: ["x509", "-noout", "-in", `${folder}/tls.crt`, "-ext", "extendedKeyUsage"],
  }).output();
  assert.match(new TextDecoder().decode(purposes.stdout), /^\s+TLS Web Server Authentication$/m);
  assert.ok(first.checkPrivateKey(createPrivateKey(await Deno.readTextFile(`${folder}/tls.key`))));
  assert.equal(((await Deno.stat(`${folder}/tls.key`)).mode ?? 0) & 0o777, 0o600);
  assert.equal(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
  const second = await make("IP:10.0.0.1", "DNS:proxy.example.com");
  assert.equal(second.subjectAltName, "IP Address:10.0.0.1, DNS:proxy.example.com");
  assert.notEqual(second.serialNumber, first.serialNumber);
  const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
  assert.deepEqual(names.sort(), ["tls.crt", "tls.key"]);
});

test("the runbook's questions to the cluster are answered", async (cluster) => {
  const manifests = await sets["kubernetes/base"]?.(cluster) ?? [];
  await applyText(cluster, manifests);
  const runbook = await Deno.readTextFile(new URL("../../docs/runbook.md", import.meta.url));
  // A log needs a pod that runs; readme_test.ts reads one by such a command.
  const commands = shellCommands(runbook).filter((each) => each.startsWith("kubectl ") && !each.includes(" logs "));
  assert.ok(commands.length > 3);
  for (const command of new Set(commands)) {
    const script = command.replace(/^kubectl /, `${cluster.binaries.kubectl} `);
    const env = { HOME: cluster.dir, KUBECONFIG: cluster.adminKubeconfig };
    const { code, stderr } = await new Deno.Command("bash", { args: ["-c", script], env }).output();
    assert.equal(code, 0, `${command}: ${new TextDecoder().decode(stderr)}`);
  }
  await removeAll(cluster, manifests);
});

const egressConfigurations = [
  "kubernetes/control-plane/egress-selector-configuration.yaml",
  "kind/egress_selector_configuration.yaml",
];
for (const path of egressConfigurations) {
  await kubeTest(`examples/${path}: a real kube-apiserver starts with it`, async (binaries) => {
    const egress = await Deno.readTextFile(`${examples}/${path}`);
    await using cluster = await Cluster.start(binaries, { egress });
    assert.equal(await cluster.kubectlText("get", "--raw=/readyz"), "ok");
  });
}

Deno.test("every example has its place in these tests", async () => {
  const seen: string[] = [];
  for await (const entry of Deno.readDir(examples)) seen.push(entry.name);
  assert.deepEqual(seen.sort(), ["kind", "kind-multinode", "kubernetes"]);
  const [kustomization] = await readManifests("kubernetes/base/kustomization.yaml");
  for await (const { name } of Deno.readDir(`${examples}/kubernetes/base`)) {
    if (name === "kustomization.yaml") continue;
    assert.ok(listMember(kustomization, "resources").includes(name), `${name} is no resource of the kustomization`);
  }
  assert.equal(kindOf(kustomization ?? {}), "Kustomization");
});
