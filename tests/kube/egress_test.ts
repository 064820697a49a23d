import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeClient } from "../../src/kube/client/kube_client.ts";
import { textOf } from "../../src/kube/client/kube_error.ts";
import { loadApiAccess } from "../../src/kube/access/load_access.ts";
import { type FrontendKind, logsOf, startTopology, type Topology } from "../conformance/topology.ts";
import { httpGet } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import type { KubeBinaries } from "./binaries.ts";
import { Cluster } from "./cluster.ts";
import { kubeTest } from "./kube_test_case.ts";
import { NodeStandIn } from "./node.ts";
import { startWebhook, type Webhook } from "./webhook.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

/** What kube-apiserver can be configured to reach a proxy with. */
const transports: readonly { readonly name: string; readonly kind: FrontendKind }[] = [
  { name: "GRPC over UDS", kind: "grpc-uds" },
  { name: "HTTPConnect over UDS", kind: "connect-uds" },
  { name: "HTTPConnect over TCP", kind: "connect-tls" },
];

const megabyte = 1024 * 1024;
const forever = new AbortController().signal;

/** How many calls are made beside an exec that nobody reads, and how many of them at a time. */
const neighbours = 100;
const atOnce = 5;

interface World {
  readonly topology: Topology;
  readonly cluster: Cluster;
  readonly webhook: Webhook;
  /** A pod in the namespace `default`, which logs, and in which commands are executed. */
  readonly pod: string;
  readonly client: KubeClient;
}

async function withWorld(
  kind: FrontendKind,
  binaries: KubeBinaries,
  use: (world: World) => Promise<void>,
): Promise<void> {
  await using topology = await startTopology(kind);
  try {
    await using cluster = await Cluster.start(binaries, { egress: egressOf(topology) });
    await using webhook = await startWebhook(cluster);
    await using node = await NodeStandIn.start(cluster);
    const pod = "web";
    await cluster.apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: pod, namespace: "default" },
      spec: { containers: [{ name: "c", image: "none" }] },
    });
    await node.take("default", pod, "c");
    const access = await loadApiAccess(cluster.adminKubeconfig, () => undefined, systemClock);
    using client = new KubeClient(access, {
      userAgent: "test",
      clock: systemClock,
      qps: 1000,
      burst: 1000,
      timeoutMs: 30_000,
    });
    await use({ topology, cluster, webhook, pod, client });
  } catch (error) {
    throw new Error(`${textOf(error)}\n${logsOf(topology)}`, { cause: error });
  }
}

function egressOf({ kind, uds, port, certificates }: Topology): string {
  const { caCert: caBundle, clientCert, clientKey } = certificates;
  const transport = uds === ""
    ? { tcp: { url: `https://127.0.0.1:${port}`, tlsConfig: { caBundle, clientCert, clientKey } } }
    : { uds: { udsName: uds } };
  const connection = { proxyProtocol: kind.startsWith("grpc") ? "GRPC" : "HTTPConnect", transport };
  return JSON.stringify({
    apiVersion: "apiserver.k8s.io/v1beta1",
    kind: "EgressSelectorConfiguration",
    egressSelections: ["cluster", "controlplane"].map((name) => ({ name, connection })),
  });
}

/** Has the webhook admit a ConfigMap. */
async function admit({ client }: World, name: string, labels: Record<string, string> = {}): Promise<void> {
  await client.call({
    method: "POST",
    path: "/api/v1/namespaces/default/configmaps",
    body: { metadata: { name, labels } },
  }, forever);
}

/** Runs a command in the pod. @returns what it printed @throws when it fails, also when it takes longer than a minute */
async function exec({ cluster, pod }: World, command: readonly string[], stdin?: Uint8Array): Promise<Uint8Array> {
  const args = ["exec", pod, ...(stdin === undefined ? [] : ["-i"]), "--request-timeout=60s", "--", ...command];
  const { code, stdout, stderr } = await cluster.kubectl(args, stdin);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** How many tunnels the server has ever opened. */
async function tunnels({ topology }: World): Promise<number> {
  const { body } = await httpGet(topology.server.healthPort, "/metrics");
  return Number(/^konnectivity_network_proxy_server_dial_duration_seconds_count (\d+)/m.exec(body)?.[1] ?? 0);
}

async function admissions(world: World): Promise<void> {
  const before = await tunnels(world);
  const { calls } = world.webhook;
  await admit(world, "first");
  assert.equal(world.webhook.calls, calls + 1);
  assert.ok(await tunnels(world) > before, "the webhook was not called through the tunnel");
  await assert.rejects(admit(world, "second", { forbidden: "" }), /the webhook says no/);
}

async function logs(world: World): Promise<void> {
  const { pod } = world;
  const before = await tunnels(world);
  assert.equal(await world.cluster.kubectlText("logs", pod), `${pod} line 1\n${pod} line 2\n${pod} line 3`);
  assert.ok(await tunnels(world) > before, "the kubelet was not called through the tunnel");
  const following = world.cluster.spawnKubectl(["logs", "--follow", pod]);
  let text = "";
  for await (const chunk of following.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(`${pod} line 10\n`)) break;
  }
  following.kill("SIGKILL");
  await Promise.all([following.status, following.stderr.cancel(), following.stdin.abort()]);
}

async function execs(world: World): Promise<void> {
  assert.equal(new TextDecoder().decode(await exec(world, ["echo", "hello"])), "hello\n");
  const failed = await world.cluster.kubectl(["exec", world.pod, "--", "sh", "-c", "echo no >&2; exit 7"]);
  assert.equal(failed.code, 7);
  assert.match(failed.stderr, /^no$/m);
}

async function uploads(world: World): Promise<void> {
  const sent = new Uint8Array(randomBytes(5 * megabyte));
  const said = new TextDecoder().decode(await exec(world, ["sha256sum"], sent));
  assert.equal(said.split(" ")[0], sha256(sent));
}

async function downloads(world: World): Promise<void> {
  const file = `${world.topology.folder}/download`;
  const bytes = new Uint8Array(randomBytes(20 * megabyte));
  await Deno.writeFile(file, bytes);
  const got = await exec(world, ["cat", file]);
  assert.equal(got.length, bytes.length);
  assert.equal(sha256(got), sha256(bytes));
}

async function portForwards({ cluster, pod }: World): Promise<void> {
  const server = createServer((request, response) => response.end(`you asked for ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  // A TCP server that listens has this form of address.
  const { port } = server.address() as AddressInfo;
  const forwarding = cluster.spawnKubectl(["port-forward", `pod/${pod}`, `:${port}`, "--address=127.0.0.1"]);
  const lines = forwarding.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let local = 0;
  while (local === 0) {
    const { value, done } = await lines.read();
    assert.ok(!done, "kubectl port-forward ended");
    text += value;
    local = Number(/127\.0\.0\.1:(\d+) ->/.exec(text)?.[1] ?? 0);
  }
  const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => httpGet(local, `/${at}`)));
  assert.deepEqual(answers.map(({ body }) => body), answers.map((_, at) => `you asked for /${at}`));
  forwarding.kill("SIGKILL");
  await Promise.all([forwarding.status, lines.cancel(), forwarding.stderr.cancel(), forwarding.stdin.abort()]);
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** An exec whose output is not read, for as long as the test runs. */
class UnreadExec implements AsyncDisposable {
  readonly #world: World;
  #child: Deno.ChildProcess;
  #over = false;
  readonly #running: Promise<void>;

  constructor(world: World) {
    this.#world = world;
    this.#child = this.#spawn();
    this.#running = this.#run();
  }

  #spawn(): Deno.ChildProcess {
    return this.#world.cluster.spawnKubectl(["exec", this.#world.pod, "--", "cat", "/dev/zero"]);
  }

  /** kube-apiserver's client for GRPC gives a tunnel up that stalls for ten seconds; the next one stalls in its place. */
  async #run(): Promise<void> {
    for (;;) {
      await this.#child.status;
      await Promise.all([this.#child.stdout.cancel(), this.#child.stderr.cancel(), this.#child.stdin.abort()]);
      if (this.#over) return;
      this.#child = this.#spawn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended just now, and is not started again.
    }
    await this.#running;
  }
}

async function unread(world: World): Promise<void> {
  await using _unread = new UnreadExec(world);
  await until("the unread exec's bytes have come to a stop", async () => {
    const before = await bytesToClients(world);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return before > 64 * 1024 && await bytesToClients(world) === before;
  }, 60_000);
  const calls = world.webhook.calls;
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let at = next++; at < neighbours; at = next++) {
      const [printed] = await Promise.all([exec(world, ["echo", `neighbour ${at}`]), admit(world, `neighbour-${at}`)]);
      assert.equal(new TextDecoder().decode(printed), `neighbour ${at}\n`);
    }
  }));
  assert.equal(world.webhook.calls, calls + neighbours);
}

async function bytesToClients({ topology }: World): Promise<number> {
  const { body } = await httpGet(topology.server.healthPort, "/metrics");
  const [, value] =
    /^konnectivity_network_proxy_server_stream_data_bytes_total\{[^}]*segment="from_agent"[^}]*\} (\d+)/m
      .exec(body) ?? [];
  assert.ok(value !== undefined, "the server counts no bytes");
  return Number(value);
}

async function noAgent(world: World): Promise<void> {
  await world.topology.agent?.stop();
  await until("admission fails", () => admit(world, "nobody").then(() => false, () => true));
  const { code } = await world.cluster.kubectl(["logs", world.pod]);
  assert.notEqual(code, 0);
}

for (const { name, kind } of transports) {
  await kubeTest(
    `[client 6] a real kube-apiserver works through the tunnel: ${name}`,
    (binaries, t) =>
      withWorld(kind, binaries, async (world) => {
        const claims: readonly (readonly [string, (world: World) => Promise<void>])[] = [
          ["an admission webhook is called through it, and decides", admissions],
          ["kubectl logs, also followed", logs],
          ["kubectl exec, with its exit code", execs],
          ["5 MB into kubectl exec -i, byte for byte", uploads],
          ["20 MB out of kubectl exec, byte for byte", downloads],
          ["kubectl port-forward, ten connections at once", portForwards],
          ["beside an exec that nobody reads, 100 execs and 100 admissions notice nothing", unread],
          ["without an agent admission and logs fail", noAgent],
        ];
        for (const [claim, show] of claims) {
          assert.ok(await t.step(claim, () => show(world)), `${claim}: failed`);
        }
      }),
  );
}
