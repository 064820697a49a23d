import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import type { Cluster } from "./cluster.ts";

const nodeName = "n1";

/** A node whose kubelet is a stand-in: kube-apiserver asks it for logs, and to execute. */
export class NodeStandIn implements AsyncDisposable {
  readonly name: string = nodeName;
  readonly #cluster: Cluster;
  readonly #kubelet: Program;

  private constructor(cluster: Cluster, kubelet: Program) {
    this.#cluster = cluster;
    this.#kubelet = kubelet;
  }

  /** @param logs folder with POD.log for each pod; without it every pod has made-up ones */
  static async start(cluster: Cluster, logs?: string): Promise<NodeStandIn> {
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
      ...(logs === undefined ? [] : [`-logs=${logs}`]),
    ]);
    const node = new NodeStandIn(cluster, kubelet);
    try {
      await node.#register();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #register(): Promise<void> {
    const port = await until("the kubelet listens", () => {
      if (this.#kubelet.status !== undefined) throw new Error(`the kubelet ended\n${this.#kubelet.tail()}`);
      return Number(/listening on (\d+)/.exec(this.#kubelet.log)?.[1] ?? 0);
    });
    await this.#cluster.apply({ apiVersion: "v1", kind: "Node", metadata: { name: nodeName } });
    await this.#cluster.patchStatus("node", nodeName, {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    });
  }

  /** Has a pod that waits for a node run here, as far as the API knows, and be ready. */
  async take(namespace: string, pod: string, container: string): Promise<void> {
    await this.#cluster.create(`/api/v1/namespaces/${namespace}/pods/${pod}/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: pod, namespace },
      target: { apiVersion: "v1", kind: "Node", name: nodeName },
    });
    const status = { name: container, image: "none", imageID: "", ready: true, restartCount: 0 };
    await this.#cluster.patchStatus("pod", pod, {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ ...status, state: { running: {} } }],
    }, namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kubelet.signal("SIGKILL");
    await this.#kubelet.ended;
  }
}
