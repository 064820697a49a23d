import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { objectOf } from "../../src/kube/client/json_value.ts";
import { build } from "../../tools/build.ts";
import { tellFigure } from "../support/assert/figures.ts";
import { takeFixedPorts } from "../support/processes/fixed_ports.ts";
import { httpGet } from "../support/processes/processes.ts";
import type { KubeBinaries } from "./binaries.ts";
import { Cluster } from "./cluster.ts";
import { ControlPlane } from "./control_plane.ts";
import type { Manifest } from "./manifests.ts";
import { NodeStandIn } from "./node.ts";
import { type RunningPod, runPod } from "./pods.ts";
import { Reader } from "./readme_reader.ts";

/** What the manifests listen on, kube-apiserver's port, and the port of the service that is reached. */
const ports = [80, 6443, 8000, 8091, 8092, 8093, 8094, 8095];
export const serverName = "konnectivity-server.kube-system.svc.cluster.local";
export const testServerName = "konnectivity-test-server.default.svc.cluster.local";
export const testServerAddress = "127.0.0.80";

/** A cluster of one node, on which somebody follows a document. */
export interface World {
  readonly t: Deno.TestContext;
  readonly cluster: Cluster;
  readonly node: ControlPlane;
  readonly reader: Reader;
  /** Where the node's kubelet finds the logs of pods. */
  readonly logs: string;
  /** Runs what a controller or kubelet would run, until the test ends. */
  run(manifest: Manifest, namespace: string, name: string): Promise<RunningPod>;
  startKubelet(): Promise<NodeStandIn>;
}

export async function withWorld(
  binaries: KubeBinaries,
  t: Deno.TestContext,
  use: (world: World) => Promise<void>,
): Promise<void> {
  using _ports = await takeFixedPorts(ports);
  await using node = await ControlPlane.open({ [serverName]: "127.0.0.1", [testServerName]: testServerAddress });
  await using cluster = await Cluster.start(binaries, { port: 6443, names: [serverName], inside: node.inside });
  const read = (name: string) => Deno.readTextFile(`${cluster.dir}/${name}`);
  // What kubeadm leaves on a control-plane node. The documents have the name added to the certificate.
  await node.write("/etc/kubernetes/admin.conf", await read("kubeconfig"));
  await node.write("/etc/kubernetes/pki/ca.crt", cluster.ca.certPem);
  await node.write("/etc/kubernetes/pki/ca.key", cluster.ca.keyPem);
  for (const name of ["apiserver.crt", "apiserver.key"]) {
    await node.write(`/etc/kubernetes/pki/${name}`, await read(name));
  }
  await using reader = await Reader.open(t, node, { KUBECONFIG: "/etc/kubernetes/admin.conf" });
  await reader.install("kubectl", `#!/bin/sh\nexec ${binaries.kubectl} "$@"\n`);
  await using running = new AsyncDisposableStack();
  const built = `${reader.folder}/built`;
  assert.equal(await build(built), 0);
  const programs = `${built}/bin`;
  const logs = `${reader.folder}/logs`;
  await Deno.mkdir(logs);
  const pods: RunningPod[] = [];
  await use({
    t,
    cluster,
    node,
    reader,
    logs,
    run: async (manifest, namespace, name) => {
      const pod = running.use(await runPod(manifest, { cluster, node, namespace, name, programs }));
      pods.push(pod);
      return pod;
    },
    startKubelet: async () => running.use(await NodeStandIn.start(cluster, logs)),
  });
  for (const pod of pods.filter(({ program }) => program.status === undefined)) {
    const { now, peak, request, limit } = await pod.memory();
    await tellFigure(
      t,
      `${pod.program.name} holds ${Math.round(now)} MiB, ${Math.round(peak)} at most; ` +
        `its manifest asks for ${request} and allows ${limit}`,
    );
    assert.ok(now <= request, "an idle program holds more than its manifest asks for");
    assert.ok(peak <= limit / 2, "it comes near to its limit without load");
  }
}

/** An object as the API has it. */
export async function kept(cluster: Cluster, kind: string, name: string, namespace: string): Promise<Manifest> {
  const value = JSON.parse(await cluster.kubectlText("get", kind, name, `-n=${namespace}`, "-o=json"));
  return objectOf(value) ?? assert.fail(name);
}

/** How many tunnels the server has ever opened. */
export async function tunnels(): Promise<number> {
  const { body } = await httpGet(8092, "/metrics");
  return Number(/^konnectivity_network_proxy_server_dial_duration_seconds_count (\d+)/m.exec(body)?.[1] ?? 0);
}

/** Has kube-apiserver start anew with a flag, as its static pod does when its manifest changes. */
export async function restartApi({ cluster }: World, flag: string): Promise<void> {
  await cluster.stopApi();
  await cluster.startApi(flag);
}

/** What a Service does that leads to a port of 127.0.0.1. */
export async function startService(address: string, port: number, target: number): Promise<AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const outgoing = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [incoming, outgoing]) {
      socket.on("error", () => incoming.destroy(outgoing.destroy().errored ?? undefined));
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => server.on("error", reject).listen(port, address, () => resolve()));
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
