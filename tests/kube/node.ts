import { issueLeaf } from "../../src/cli/certs/issue.ts";
import { Program } from "../support/processes.ts";
import { until } from "../support/until.ts";
import type { Cluster } from "./cluster.ts";

/** A node of one pod, for kube-apiserver to ask for logs and to execute in. */
export interface NodeStandIn extends AsyncDisposable {
  /** Its pod, in the namespace `default`. */
  readonly pod: string;
}

const node = "n1";
const pod = "web";

/** Starts the stand-in for a kubelet, and makes the objects by which kube-apiserver finds it. */
export async function startNode(cluster: Cluster): Promise<NodeStandIn> {
  const own = await issueLeaf(cluster.ca, {
    commonName: "kubelet",
    usages: ["server"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
  await Deno.writeTextFile(`${cluster.dir}/kubelet.crt`, own.certPem);
  await Deno.writeTextFile(`${cluster.dir}/kubelet.key`, own.keyPem, { mode: 0o600 });
  const kubelet = new Program("kubelet", [
    cluster.binaries.kubelet,
    `-cert=${cluster.dir}/kubelet.crt`,
    `-key=${cluster.dir}/kubelet.key`,
    `-client-ca=${cluster.dir}/ca.crt`,
  ]);
  const stop = async () => {
    kubelet.signal("SIGKILL");
    await kubelet.ended;
  };
  try {
    const port = await until("the kubelet listens", () => {
      if (kubelet.status !== undefined) throw new Error(`the kubelet ended\n${kubelet.tail()}`);
      return Number(/listening on (\d+)/.exec(kubelet.log)?.[1] ?? 0);
    });
    await cluster.apply(
      { apiVersion: "v1", kind: "Node", metadata: { name: node } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: pod, namespace: "default" },
        spec: { nodeName: node, containers: [{ name: "c", image: "none" }] },
      },
    );
    await patchStatus(cluster, "node", node, {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    });
    await patchStatus(cluster, "pod", pod, {
      phase: "Running",
      containerStatuses: [{
        name: "c",
        image: "none",
        imageID: "",
        ready: true,
        restartCount: 0,
        state: { running: {} },
      }],
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { pod, [Symbol.asyncDispose]: stop };
}

async function patchStatus(cluster: Cluster, kind: string, name: string, status: unknown): Promise<void> {
  const patch = `--patch=${JSON.stringify({ status })}`;
  await cluster.kubectlText("patch", kind, name, "--subresource=status", "--type=merge", patch);
}
