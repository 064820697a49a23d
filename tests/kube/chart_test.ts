import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { listMember, memberOf, objectOf, textMember } from "../../src/kube/client/json_value.ts";
import type { FileProbe } from "../../src/flags/file_probe.ts";
import { parseAgentFlags } from "../../src/programs/agent/agent_flags.ts";
import { validateAgentOptions } from "../../src/programs/agent/agent_validation.ts";
import { parseServerFlags } from "../../src/programs/server/server_flags.ts";
import { validateServerOptions } from "../../src/programs/server/server_validation.ts";
import { alertsOf, writtenAlerts } from "./alerts.ts";
import { chartCases, chartFolder, inFolder, render } from "./chart.ts";
import type { Cluster } from "./cluster.ts";
import { clusterTests, skippedTest } from "./kube_test_case.ts";
import { type Container, containersOf, kindOf, kustomize, type Manifest, nameOf } from "./manifests.ts";
import { definePrometheusTypes } from "./prometheus_operator.ts";
import { findTool, type Tool, toolFolder, toolTests } from "./tools.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const valuesFiles = (await Array.fromAsync(Deno.readDir(`${chartCases}/values`), ({ name }) => name)).sort();
const { version } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));

/** What the chart adds to each object, as charts do. */
const chartLabels = /^(?:helm\.sh\/chart|app\.kubernetes\.io\/(?:name|instance|version|managed-by))$/;

const helmTest = await toolTests("helm");
const helmFound = await findTool("helm");
const { test } = await clusterTests();

/** A test that takes helm and a cluster. */
function chartTest(title: string, body: (helm: Tool, cluster: Cluster) => Promise<void>): void {
  if (helmFound.kind === "missing") skippedTest(title, helmFound.why);
  else test(title, (cluster) => body(helmFound.tool, cluster));
}

helmTest("helm finds the chart in order, with each file of values", async (helm) => {
  for (const values of [[], ...valuesFiles.map(inFolder)]) {
    const { code, said } = await helm("lint", "--strict", "--quiet", chartFolder, ...values);
    assert.equal(code, 0, `${values}: ${said}`);
  }
});

const refusals: readonly (readonly [set: string, message: RegExp])[] = [
  ["agent.replica=3", /at '\/agent': additional properties 'replica' not allowed/],
  ["agents.replicas=3", /at '': additional properties 'agents' not allowed/],
  ["agent.kind=StatefulSet", /at '\/agent\/kind': value must be one of 'Deployment', 'DaemonSet'/],
  ["agent.replicas=0", /at '\/agent\/replicas': minimum: got 0, want 1/],
  ["agent.replicas=two", /at '\/agent\/replicas': got string, want integer/],
  ["agent.serverPort=80910", /at '\/agent\/serverPort': maximum: got 80,?910, want 65,?535/],
  ["agent.drainTimeout=fast", /at '\/agent\/drainTimeout': 'fast' does not match pattern/],
  ["agent.extraArgs={v=4}", /at '\/agent\/extraArgs\/0': 'v=4' does not match pattern/],
  [
    "agent.podDisruptionBudget.minAvailable=half",
    /at '\/agent\/podDisruptionBudget\/minAvailable': 'half' does not match/,
  ],
  ["leases.namespace=No_Name", /at '\/leases\/namespace': 'No_Name' does not match pattern/],
  ["server.frontend.udsFolder=socket", /at '\/server\/frontend\/udsFolder': 'socket' does not match pattern/],
  ["server.service.enabled=false", /agents do not know where the servers are: name them in agent\.serverHost/],
  ["agent.drainTimeout=1m", /Kubernetes kills agents after 60 s .* agent\.drainTimeout \(1m\): make that shorter/],
  [
    "server.kind=DaemonSet,server.certificate.secret=a,server.gracefulShutdownTimeout=45s",
    /Kubernetes kills servers after 45 s .* server\.gracefulShutdownTimeout \(45s\): make that shorter/,
  ],
  ["server.probeDestinations={10.96.0.1}", /at '\/server\/probeDestinations\/0': '10.96.0.1' does not match pattern/],
  ["agent.authentication.type=certificate", /name a Secret .* in agent\.authentication\.certificateSecret/],
  ["agent.serverCa.configMap=a,agent.serverCa.secret=b", /agent\.serverCa has a configMap and a secret: give one/],
  [
    "server.kind=Deployment",
    /servers need a certificate .* server\.certificate\.secret, or .* server\.certificate\.hostPath/,
  ],
  [
    "server.kind=Deployment,server.certificate.secret=a,server.frontend.type=tcp",
    /name a Secret with tls\.crt, tls\.key and ca\.crt in server\.frontend\.secret/,
  ],
  [
    "server.kind=Deployment,server.certificate.secret=a,server.frontend.udsVolume=emptyDir",
    /set server\.frontend\.type to tcp, or run the server as a sidecar/,
  ],
  [
    "monitoring.rules.enabled=true,monitoring.rules.disabled={KonnectivityNone}",
    /names KonnectivityNone, which is no alert; there are KonnectivityNoAgents, /,
  ],
];

helmTest(
  "values that the chart does not know, or that do not go together, are refused by their names",
  async (helm) => {
    for (const [set, message] of refusals) {
      const { code, said } = await helm("template", "konnectivity", chartFolder, `--set=${set}`);
      assert.notEqual(code, 0, set);
      assert.match(said, message);
    }
  },
);

/** An object without what a chart adds, and without the hash that Kustomize writes into names. */
function plain(manifest: Manifest): unknown {
  const text = JSON.stringify(manifest, (key, value) => {
    if (key === "labels" && objectOf(value) !== undefined) {
      const kept = Object.entries(value).filter(([name]) => !chartLabels.test(name));
      return kept.length === 0 ? undefined : Object.fromEntries(kept);
    }
    // In place of the hash: agents are replaced when their ConfigMap changes.
    if (key === "annotations" && Object.keys(value).join() === "checksum/config") return undefined;
    return value;
  });
  return JSON.parse(text.replace(/"konnectivity-agent-[a-z0-9]{10}"/g, '"konnectivity-agent"'));
}

/** What an object is: its kind, namespace and name. */
function identity(manifest: Manifest): string {
  return `${kindOf(manifest)} ${textMember(memberOf(manifest, "metadata"), "namespace")}/${nameOf(manifest)}`
    .replace(/konnectivity-agent-[a-z0-9]{10}$/, "konnectivity-agent");
}

function byIdentity(manifests: readonly Manifest[]): Record<string, unknown> {
  const found = Object.fromEntries(manifests.map((manifest) => [identity(manifest), plain(manifest)]));
  assert.equal(Object.keys(found).length, manifests.length, "two objects have one name");
  return found;
}

chartTest(
  "with its defaults the chart renders the objects of examples/kubernetes/base, and with monitoring those too",
  async (helm, cluster) => {
    const base = await kustomize(cluster, "kubernetes/base");
    assert.deepEqual(byIdentity(await render(helm, chartFolder)), byIdentity(base));
    const monitoring = await kustomize(cluster, "kubernetes/monitoring");
    assert.deepEqual(
      byIdentity(await render(helm, chartFolder, ...inFolder("monitoring.yaml"))),
      byIdentity([...base, ...monitoring]),
    );
  },
);

const anyFile: FileProbe = () => Promise.resolve({ kind: "readable" });

/** Checks what a container's program is told. */
async function checkContainer(name: string, { program, args, image, value, podSpec }: Container): Promise<void> {
  const given = args.map((arg) => arg.replace("$(PROXY_SERVER_PORT)", "8091").replace(/\$\(\w+\)/g, "10.0.0.1"));
  if (program === "/proxy-server") {
    const parsed = parseServerFlags(given, () => undefined);
    assert.equal(parsed.kind, "options", `${name}: ${JSON.stringify(parsed)}`);
    if (parsed.kind === "options") {
      assert.deepEqual(await validateServerOptions(parsed.options, anyFile), { kind: "ok", warnings: [] }, name);
    }
  } else {
    assert.equal(program, "/proxy-agent", name);
    const parsed = parseAgentFlags(given, () => undefined);
    assert.equal(parsed.kind, "options", `${name}: ${JSON.stringify(parsed)}`);
    if (parsed.kind === "options") {
      assert.deepEqual(await validateAgentOptions(parsed.options, anyFile), { kind: "ok", warnings: [] }, name);
    }
  }
  assert.match(image, /^(?:registry\.example\.com:5000\/konnectivity\/)?konnectivity\/proxy-(?:server|agent):v[\d.]+$/);
  const security = memberOf(value, "securityContext");
  assert.equal(memberOf(security, "readOnlyRootFilesystem"), true);
  assert.equal(memberOf(security, "allowPrivilegeEscalation"), false);
  assert.deepEqual(listMember(memberOf(security, "capabilities"), "drop"), ["ALL"]);
  assert.match(textMember(memberOf(memberOf(value, "resources"), "limits"), "memory"), /^\d+[MG]i$/);
  // Each file that a flag names is in a folder that is mounted, or a file that is; and each mount has its volume.
  const mounts = listMember(value, "volumeMounts");
  const mounted = mounts.map((mount) => textMember(mount, "mountPath"));
  const accounts = "/var/run/secrets/kubernetes.io/serviceaccount";
  if (memberOf(podSpec, "automountServiceAccountToken") === true) mounted.push(accounts);
  for (const arg of args) {
    const [, path] = /=(\/.+)$/.exec(arg) ?? [];
    if (path === undefined) continue;
    assert.ok(
      mounted.some((place) => path === place || path.startsWith(`${place}/`)),
      `${name}: ${arg} is not mounted`,
    );
  }
  const volumes = listMember(podSpec, "volumes").map((volume) => textMember(volume, "name"));
  for (const mount of mounts) assert.ok(volumes.includes(textMember(mount, "name")), `${name} lacks a volume`);
  assert.ok(mounted.includes("/cache"), name);
}

async function kubectlApply(cluster: Cluster, manifests: readonly Manifest[], ...flags: string[]): Promise<string[]> {
  const list = { apiVersion: "v1", kind: "List", items: manifests };
  const { code, stdout, stderr } = await cluster.kubectl(
    ["apply", "--server-side", "--validate=strict", "--field-manager=helm", ...flags, "-f", "-"],
    new TextEncoder().encode(JSON.stringify(list)),
  );
  assert.equal(code, 0, stderr);
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** Has a cluster take objects, on trial and for good, and gives them up. */
async function checkTaken(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  assert.ok(manifests.length > 0);
  await definePrometheusTypes(cluster);
  const namespaces = manifests.filter((manifest) => kindOf(manifest) === "Namespace");
  // On trial nothing is made, and what is to lie in a namespace needs it.
  if (namespaces.length > 0) await kubectlApply(cluster, namespaces);
  assert.equal((await kubectlApply(cluster, manifests, "--dry-run=server")).length, manifests.length);
  assert.equal((await kubectlApply(cluster, manifests)).length, manifests.length);
  for (const manifest of manifests) {
    for (const container of containersOf(manifest)) {
      if (container.program.startsWith("/")) await checkContainer(nameOf(manifest), container);
    }
  }
  // A namespace stays: the controller that would empty a deleted one does not run here.
  const items = manifests.filter((manifest) => kindOf(manifest) !== "Namespace");
  const list = new TextEncoder().encode(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  assert.equal((await cluster.kubectl(["delete", "--wait=false", "-f", "-"], list)).code, 0);
}

for (const name of valuesFiles) {
  chartTest(
    `chart with ${name}: a real kube-apiserver takes each object, and the programs take their flags`,
    async (helm, cluster) => {
      await checkTaken(cluster, await render(helm, chartFolder, ...inFolder(name)));
    },
  );
}

chartTest(
  "a chart with kube-apiserver in a pod has the server beside it, by two lines of its template",
  async (helm, cluster) => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-chart-" });
    try {
      const { success } = await new Deno.Command("cp", { args: ["-R", `${chartCases}/sidecar/.`, folder] }).output();
      assert.ok(success);
      const path = `${folder}/Chart.yaml`;
      await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace("file://CHART", `file://${chartFolder}`));
      const { code, said } = await helm("dependency", "build", folder);
      assert.equal(code, 0, said);
      const manifests = await render(helm, folder);
      const pod = manifests.find((manifest) => nameOf(manifest) === "kube-apiserver") ?? assert.fail("no pod");
      assert.deepEqual(containersOf(pod).map(({ program }) => program), ["/proxy-server", "kube-apiserver"]);
      await checkTaken(cluster, manifests);
      const refused = await helm("template", "c", folder, "--set=konnectivity.server.certificate.secret=");
      assert.match(refused.said, /servers need a certificate by which agents know them/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

helmTest(
  "the chart's package holds all that it needs, and the chart brings every alert but those that are not wanted",
  async (helm) => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-chart-" });
    try {
      const { code, said } = await helm("package", chartFolder, `--destination=${folder}`);
      assert.equal(code, 0, said);
      const packed = `${folder}/konnectivity-${version}.tgz`;
      for (const name of ["monitoring.yaml", "hosted-tokens.yaml"]) {
        const manifests = await render(helm, packed, ...inFolder(name));
        assert.deepEqual(manifests, await render(helm, chartFolder, ...inFolder(name)));
        const rule = manifests.find((manifest) => kindOf(manifest) === "PrometheusRule");
        const all = await writtenAlerts();
        const alerts = alertsOf(memberOf(rule, "spec"));
        if (name === "monitoring.yaml") assert.deepEqual(alerts, all);
        else {
          const wanted = all.filter((alert) => alert.name !== "KonnectivityFewerAgentsThanExpected");
          assert.deepEqual(alerts.map((alert) => alert.name), wanted.map((alert) => alert.name));
          for (const { annotations } of alerts) {
            assert.match(
              String(annotations["runbook_url"]),
              /^https:\/\/runbooks\.example\.com\/konnectivity#konnectivity\w+$/,
            );
          }
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

helmTest("a release's chart names the release's images and runbook", async (helm) => {
  const workflow = parse(await Deno.readTextFile(`${root}.github/workflows/release.yaml`));
  const steps = listMember(memberOf(memberOf(workflow, "jobs"), "release"), "steps");
  const script = steps.map((step) => textMember(step, "run")).find((each) => each.includes("helm package"));
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-chart-" });
  try {
    const { success } = await new Deno.Command("cp", { args: ["-R", `${root}charts`, folder] }).output();
    assert.ok(success);
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["-e", "-o", "pipefail", "-c", script ?? assert.fail("no step packs the chart")],
      cwd: folder,
      env: {
        GITHUB_REPOSITORY: "Some-Body/Proxy",
        GITHUB_REF_NAME: `v${version}`,
        PATH: `${toolFolder}:${Deno.env.get("PATH") ?? ""}`,
      },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(await Deno.readTextFile(`${folder}/SHA256SUMS`), new RegExp(` konnectivity-${version}\\.tgz$`, "m"));
    const manifests = await render(helm, `${folder}/konnectivity-${version}.tgz`, ...inFolder("monitoring.yaml"));
    const [container] = manifests.flatMap(containersOf).filter(({ program }) => program !== "");
    assert.equal(container?.image, `ghcr.io/some-body/proxy/proxy-agent:v${version}`);
    const rule = manifests.find((manifest) => kindOf(manifest) === "PrometheusRule");
    for (const { name, annotations } of alertsOf(memberOf(rule, "spec"))) {
      const runbook = `https://github.com/Some-Body/Proxy/blob/v${version}/docs/runbook.md`;
      assert.equal(annotations["runbook_url"], `${runbook}#${name.toLowerCase()}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

helmTest(
  "the values in the chart's README are taken, and the programs take the flags that they lead to",
  async (helm) => {
    const readme = await Deno.readTextFile(`${chartFolder}/README.md`);
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-chart-" });
    try {
      const blocks = [...readme.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
      assert.equal(blocks.length, 3);
      for (const [at, block] of blocks.entries()) {
        // Those of the sidecar are the parent chart's.
        const values = memberOf(parse(block), "konnectivity") ?? parse(block);
        await Deno.writeTextFile(`${folder}/values-${at}.yaml`, JSON.stringify(values));
        for (const manifest of await render(helm, chartFolder, `--values=${folder}/values-${at}.yaml`)) {
          for (const container of containersOf(manifest)) await checkContainer(nameOf(manifest), container);
        }
      }
      assert.deepEqual(
        memberOf(parse(await Deno.readTextFile(`${chartCases}/sidecar/values.yaml`)), "konnectivity"),
        memberOf(parse(blocks.at(-1) ?? ""), "konnectivity"),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
