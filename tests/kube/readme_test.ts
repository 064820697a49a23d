import assert from "node:assert/strict";
import { listMember, memberOf, objectOf, textMember } from "../../src/kube/client/json_value.ts";
import { httpGet } from "../support/processes/processes.ts";
import { chaptersWithCommands, shellCommands } from "../support/processes/readme_commands.ts";
import { until } from "../support/assert/until.ts";
import { whyNoMount } from "./image.ts";
import { kubeTest, skippedTest } from "./kube_test_case.ts";
import { parseManifests } from "./manifests.ts";
import { type RunningPod, untilProbed } from "./pods.ts";
import type { NotRun } from "./readme_reader.ts";
import { kept, restartApi, startService, testServerAddress, tunnels, withWorld, type World } from "./readme_world.ts";
import { findTool, toolFolder } from "./tools.ts";
import { definePrometheusTypes } from "./prometheus_operator.ts";

const noEngine: NotRun = { why: "it takes a container engine" };
const noKind: NotRun = { why: "it takes kind" };

async function onKubernetes(world: World): Promise<void> {
  const { cluster, node, reader } = world;
  const document = "examples/kubernetes/README.md";
  const text = await Deno.readTextFile(`${reader.folder}/${document}`);
  let agent: RunningPod | undefined;
  let before = 0;
  await using services = new AsyncDisposableStack();
  await reader.follow(document, [
    ["kubectl apply -k examples/kubernetes/base", {
      async after() {
        agent = await world.run(
          await kept(cluster, "deployment", "konnectivity-agent", "kube-system"),
          "kube-system",
          "agent-1",
        );
        await untilProbed(agent, "livenessProbe");
        assert.notEqual(await agent.probe("readinessProbe"), 200, "the agents wait for a server");
      },
    }],
    ["examples/kubernetes/control-plane/make-certificate.sh", {}],
    ["examples/kubernetes/control-plane/make-kubeconfig.sh https://127.0.0.1:6443", {}],
    ["cp examples/kubernetes/control-plane/konnectivity-server.yaml /etc/kubernetes/manifests/", {
      async after() {
        const [manifest = {}] = parseManifests(await node.read("/etc/kubernetes/manifests/konnectivity-server.yaml"));
        await untilProbed(await world.run(manifest, "kube-system", "konnectivity-server-n1"), "livenessProbe");
      },
    }],
    ["curl http://127.0.0.1:8092/readyz", { prints: /^ok$/ }],
    ["kubectl apply -k examples/kubernetes/test", {
      async before() {
        await untilProbed(agent ?? assert.fail(), "readinessProbe");
        await until(
          "the server has its lease",
          async () =>
            /server-n1$/m.test(await cluster.kubectlText("get", "leases", "-n=konnectivity-leases", "-o=name")),
        );
        // The step between is told in words.
        const [, flag = ""] = /`(--egress-selector-config-file=\S+)`/.exec(text) ?? [];
        const path = flag.replace(/^.*=/, "");
        assert.match(text, /Copy `control-plane\/egress-selector-configuration\.yaml` to `\/etc\/kubernetes\/`/);
        await node.write(
          path,
          await Deno.readTextFile(
            `${reader.folder}/examples/kubernetes/control-plane/egress-selector-configuration.yaml`,
          ),
        );
        await restartApi(world, flag);
      },
      async after() {
        const server = await world.run(
          await kept(cluster, "pod", "konnectivity-test-server", "default"),
          "default",
          "test-server",
        );
        await untilProbed(server, "readinessProbe");
        const [port] = listMember(
          memberOf(await kept(cluster, "service", "konnectivity-test-server", "default"), "spec"),
          "ports",
        );
        services.use(await startService(testServerAddress, Number(memberOf(port, "port")), 8000));
        const name = "konnectivity-test-client";
        const manifest = await kept(cluster, "pod", name, "default");
        const { program } = await world.run(manifest, "default", name);
        const { code } = await program.ended;
        assert.equal(code, 0, program.tail());
        await program.stop();
        await Deno.writeTextFile(`${world.logs}/${name}.log`, program.log);
        const kubelet = await world.startKubelet();
        await kubelet.take("default", name, "proxy-test-client");
        before = await tunnels();
      },
    }],
    ["kubectl logs konnectivity-test-client", {
      prints: /The success test page!/,
      async after() {
        assert.ok(await tunnels() > before, "kubectl logs did not go through the tunnel");
      },
    }],
    ["kubectl apply -k examples/kubernetes/monitoring", {
      async before() {
        await definePrometheusTypes(cluster);
      },
    }],
  ]);
}

/**
 * Does what kind does that is run from a folder with a configuration: mounts the egress selector's, and has kube-apiserver
 * use it.
 */
async function configureAsKind(world: World, from: string, path: string): Promise<void> {
  const folder = `${world.reader.folder}/${from}`;
  const [config] = parseManifests(await Deno.readTextFile(`${folder}/${path}`));
  const [first] = listMember(config, "nodes");
  for (const mount of listMember(first, "extraMounts")) {
    const text = await Deno.readTextFile(`${folder}/${textMember(mount, "hostPath")}`);
    await world.node.write(textMember(mount, "containerPath"), text);
  }
  const [patch] = listMember(first, "kubeadmConfigPatches").flatMap((each) => parseManifests(String(each)));
  const flags = Object.entries(objectOf(memberOf(memberOf(patch, "apiServer"), "extraArgs")) ?? {});
  assert.equal(flags.length, 1);
  for (const [name, value] of flags) await restartApi(world, `--${name}=${value}`);
}

/** Runs the server and an agent of the DaemonSets that were applied. */
async function runDaemonSets(world: World, agentName: string): Promise<RunningPod> {
  const { cluster } = world;
  const start = async (set: string, name: string) => {
    const pod = await world.run(await kept(cluster, "daemonset", set, "kube-system"), "kube-system", name);
    await untilProbed(pod, "livenessProbe");
    return pod;
  };
  await start("konnectivity-server", "konnectivity-server-n1");
  const agent = await start("konnectivity-agent", agentName);
  await untilProbed(agent, "readinessProbe");
  return agent;
}

const version: string = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url))).version;
const builds: readonly (readonly [string, NotRun])[] = ["proxy-server", "proxy-agent"].map((program) =>
  [`docker build -f Containerfile --target ${program} -t konnectivity/${program}:v${version} .`, noEngine] as const
);

async function onKind(world: World): Promise<void> {
  const { cluster, reader } = world;
  await configureAsKind(world, "examples/kind", "kind.config");
  let before = 0;
  await reader.follow("examples/kind/README.md", [
    ...builds,
    ["cd examples/kind", {}],
    ["kind create cluster --config kind.config", noKind],
    [`kind load docker-image konnectivity/proxy-server:v${version} konnectivity/proxy-agent:v${version}`, noKind],
    ["kubectl apply -f konnectivity-server.yaml -f konnectivity-agent-ds.yaml", {
      async after() {
        await runDaemonSets(world, "konnectivity-agent-1");
        const numbers = [
          "currentNumberScheduled",
          "desiredNumberScheduled",
          "numberAvailable",
          "numberReady",
          "updatedNumberScheduled",
        ];
        await cluster.patchStatus("daemonset", "konnectivity-agent", {
          ...Object.fromEntries(numbers.map((name) => [name, 1])),
          numberMisscheduled: 0,
          observedGeneration: 1,
        }, "kube-system");
      },
    }],
    ["kubectl -n kube-system rollout status daemonset/konnectivity-agent", { prints: /successfully rolled out/ }],
    ["kubectl run test --image=docker.io/library/httpd:2", {
      async after() {
        await Deno.writeTextFile(`${world.logs}/test.log`, "resuming normal operations\n");
        const kubelet = await world.startKubelet();
        await kubelet.take("default", "test", "test");
        before = await tunnels();
      },
    }],
    ["kubectl wait --for=condition=Ready pod/test", {}],
    ["kubectl logs test", {
      prints: /resuming normal operations/,
      async after() {
        assert.ok(await tunnels() > before, "kubectl logs did not go through the tunnel");
      },
    }],
  ]);
}

async function onKindWithSeveralServers(world: World): Promise<void> {
  const { cluster, node, reader } = world;
  const agentName = "konnectivity-agent-1";
  await world.t.step({ name: "not run, it takes kind: what the quick start calls of it", ignore: true, fn: () => {} });
  // It would leave a context of this name.
  await reader.install("kind", "#!/bin/sh\nexit 0\n");
  const context = await node.shell(
    `${cluster.binaries.kubectl} config --kubeconfig=/etc/kubernetes/admin.conf rename-context c kind-knp-test-cluster`,
    "/",
  );
  assert.equal(context.code, 0, context.told);
  await reader.follow("examples/kind-multinode/README.md", [
    ...builds,
    ["examples/kind-multinode/quickstart-kind.sh --num-kcp-nodes=3 --num-worker-nodes=2 --sideload-images", {
      async after() {
        await configureAsKind(world, "examples/kind-multinode", "rendered/kind.config");
        const agent = await runDaemonSets(world, agentName);
        await until(
          "the agent knows the server by its lease",
          async () => /agent_known_server_count 1$/m.test((await httpGet(8093, "/metrics")).body),
        );
        // The DaemonSet's controller makes a pod, and the kubelet keeps what it says.
        const set = await kept(cluster, "daemonset", "konnectivity-agent", "kube-system");
        const template = memberOf(memberOf(set, "spec"), "template");
        await cluster.apply({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { ...objectOf(memberOf(template, "metadata")), name: agentName, namespace: "kube-system" },
          spec: memberOf(template, "spec"),
        });
        await Deno.writeTextFile(`${world.logs}/${agentName}.log`, agent.program.log);
        const kubelet = await world.startKubelet();
        await kubelet.take("kube-system", agentName, "konnectivity-agent");
      },
    }],
    ["kubectl -n konnectivity-leases get leases -l k8s-app=konnectivity-server", {
      prints: /^konnectivity-proxy-server-n1 /m,
    }],
    ['kubectl -n kube-system logs daemonset/konnectivity-agent | grep "connected to server"', {
      prints: /connected to server n1 at/,
    }],
  ]);
}

async function withTheChart(world: World): Promise<void> {
  const { cluster, reader } = world;
  await reader.install("helm", `#!/bin/sh\nexec ${toolFolder}/helm "$@"\n`);
  let agent: RunningPod | undefined;
  const install = "helm upgrade konnectivity charts/konnectivity --namespace kube-system --reuse-values";
  await reader.follow("charts/konnectivity/README.md", [
    ["helm install konnectivity charts/konnectivity --namespace kube-system", {
      async after() {
        agent = await world.run(
          await kept(cluster, "deployment", "konnectivity-agent", "kube-system"),
          "kube-system",
          "agent-1",
        );
        await untilProbed(agent, "livenessProbe");
      },
    }],
    ["kubectl --namespace kube-system get pods -l k8s-app=konnectivity-agent", {}],
    ["examples/kubernetes/control-plane/make-certificate.sh", {}],
    [
      `${install} --set server.kind=DaemonSet --set server.certificate.hostPath=/etc/kubernetes/konnectivity-server-pki`,
      {
        async after() {
          const set = await kept(cluster, "daemonset", "konnectivity-server", "kube-system");
          await untilProbed(await world.run(set, "kube-system", "konnectivity-server-n1"), "livenessProbe");
        },
      },
    ],
    ["curl http://127.0.0.1:8092/readyz", {
      prints: /^ok$/,
      async after() {
        await untilProbed(agent ?? assert.fail(), "readinessProbe");
        await until(
          "the server has its lease",
          async () =>
            /server-n1$/m.test(await cluster.kubectlText("get", "leases", "-n=konnectivity-leases", "-o=name")),
        );
      },
    }],
    [
      `${install} --set monitoring.serviceMonitor.enabled=true --set monitoring.rules.enabled=true --set monitoring.dashboard.enabled=true`,
      {
        before: () => definePrometheusTypes(cluster),
        async after() {
          const rule = await kept(cluster, "prometheusrule", "konnectivity", "kube-system");
          assert.equal(listMember(memberOf(rule, "spec"), "groups").length, 1);
        },
      },
    ],
    ["helm uninstall konnectivity --namespace kube-system", {
      async after() {
        const left = await cluster.kubectlText(
          "get",
          "deployment,daemonset,prometheusrule",
          "-n=kube-system",
          "-o=name",
        );
        assert.doesNotMatch(left, /konnectivity/);
      },
    }],
  ]);
}

const documents: readonly (readonly [string, (world: World) => Promise<void>])[] = [
  ["examples/kubernetes/README.md", onKubernetes],
  ["examples/kind/README.md", onKind],
  ["examples/kind-multinode/README.md", onKindWithSeveralServers],
  ["charts/konnectivity/README.md", withTheChart],
];

const why = await whyNoMount();
const helm = await findTool("helm");
for (const [document, follow] of documents) {
  const title =
    `${document} can be followed word for word: its programs run with the manifests' flags, as who they are there`;
  const lacks = why ?? (document.startsWith("charts/") && helm.kind === "missing" ? helm.why : undefined);
  if (lacks !== undefined) skippedTest(title, lacks);
  else await kubeTest(title, (binaries, t) => withWorld(binaries, t, follow));
}

Deno.test("the README's chapter on Kubernetes leads to the examples, and its commands are theirs", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  const readme = await read("README.md");
  const chapter = chaptersWithCommands(readme).find(({ title }) => title === "On Kubernetes");
  const [first, second, third] = shellCommands(await read("examples/kind-multinode/README.md"));
  assert.deepEqual(chapter?.commands, [first, second, third]);
  for (const [document] of documents) assert.ok(readme.includes(`(${document})`), `no link to ${document}`);
});
