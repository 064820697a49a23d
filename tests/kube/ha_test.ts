import assert from "node:assert/strict";
import { connect } from "../../src/client/connect.ts";
import type { ProxyClient } from "../../src/client/proxy_client.ts";
import type { Tunnel } from "../../src/client/tunnel.ts";
import { startBalancer } from "../support/agent_lab.ts";
import { type Destination, echoDestination } from "../support/destinations.ts";
import {
  type AgentProcess,
  httpGet,
  launcherOf,
  type ServerProcess,
  startAgent,
  startServer,
} from "../support/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/test_certificates.ts";
import { until } from "../support/until.ts";
import { agentAudience, type Cluster } from "./cluster.ts";
import { clusterTests } from "./kube_test_case.ts";
import { kindOf, kustomize } from "./manifests.ts";

const { test } = await clusterTests();
const namespace = "kube-system";
const agentMetric = "konnectivity_network_proxy_agent";

/** How long a dead server's lease may last, and be collected after that, on a busy machine. */
const leaseEndMs = 120_000;

interface HaServer {
  readonly process: ServerProcess;
  readonly client: ProxyClient;
}

/**
 * Servers that hold leases, agents that count them, and something to reach: as the roles of examples/kubernetes allow, and
 * under the permissions of their flags.
 */
class Fleet implements AsyncDisposable {
  readonly servers = new Map<string, HaServer>();
  readonly agents: AgentProcess[] = [];
  readonly #cluster: Cluster;
  readonly #owned: AsyncDisposableStack;
  readonly #serverFlags: readonly string[];
  readonly #agentFlags: readonly string[];
  readonly #balancer: { ports: readonly number[] };
  readonly #folder: string;
  readonly echo: Destination;

  private constructor(parts: {
    readonly cluster: Cluster;
    readonly owned: AsyncDisposableStack;
    readonly serverFlags: readonly string[];
    readonly agentFlags: readonly string[];
    readonly balancer: { ports: readonly number[] };
    readonly folder: string;
    readonly echo: Destination;
  }) {
    this.#cluster = parts.cluster;
    this.#owned = parts.owned;
    this.#serverFlags = parts.serverFlags;
    this.#agentFlags = parts.agentFlags;
    this.#balancer = parts.balancer;
    this.#folder = parts.folder;
    this.echo = parts.echo;
  }

  static async open(cluster: Cluster): Promise<Fleet> {
    await using undo = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    undo.defer(() => Deno.remove(folder, { recursive: true }));
    const { caCert, serverCert, serverKey } = await writeTestCertificates(folder, await testCertificates());
    const roles = await kustomize(cluster, "kubernetes/base");
    await cluster.apply(...roles.filter((each) => /Role|ServiceAccount/.test(kindOf(each))));
    const serverConfig = await cluster.writeKubeconfig(
      "server",
      await cluster.userCertificate("system:konnectivity-server"),
    );
    const apiToken = await cluster.createToken(namespace, "konnectivity-agent", "https://kubernetes");
    const agentConfig = await cluster.writeKubeconfig("agent", { token: apiToken });
    await Deno.writeTextFile(
      `${folder}/token`,
      await cluster.createToken(namespace, "konnectivity-agent", agentAudience),
    );
    const echo = undo.use(await echoDestination());
    const balancer = undo.use(await startBalancer([]));
    return new Fleet({
      cluster,
      folder,
      echo,
      balancer: Object.assign(balancer, { ports: [] }),
      serverFlags: [
        "--mode=http-connect",
        "--server-port=0",
        `--cluster-cert=${serverCert}`,
        `--cluster-key=${serverKey}`,
        `--agent-namespace=${namespace}`,
        "--agent-service-account=konnectivity-agent",
        `--authentication-audience=${agentAudience}`,
        `--kubeconfig=${serverConfig}`,
        "--enable-lease-controller",
        "--graceful-shutdown-timeout=60s",
      ],
      agentFlags: [
        `--ca-cert=${caCert}`,
        `--service-account-token-path=${folder}/token`,
        `--kubeconfig=${agentConfig}`,
        "--count-server-leases",
        "--proxy-server-host=127.0.0.1",
        `--proxy-server-port=${balancer.port}`,
        "--sync-interval=100ms",
        "--sync-interval-cap=500ms",
      ],
      owned: undo.move(),
    });
  }

  /** Starts a server and puts it behind the balancer. */
  async addServer(id: string): Promise<void> {
    const path = `${this.#folder}/${id}.sock`;
    const process = await startServer(
      [...this.#serverFlags, `--server-id=${id}`, `--uds-name=${path}`],
      {},
      launcherOf("server"),
    );
    const client = await connect({ mode: "http-connect", transport: "unix", path });
    this.servers.set(id, { process, client });
    this.#balance();
  }

  server(id: string): HaServer {
    const server = this.servers.get(id);
    assert.ok(server !== undefined);
    return server;
  }

  /** Takes a server that ends or has ended out of the books. */
  async forget(id: string): Promise<void> {
    await this.server(id).client[Symbol.asyncDispose]();
    this.servers.delete(id);
    this.#balance();
  }

  #balance(): void {
    this.#balancer.ports = [...this.servers.values()].map(({ process }) => process.agentPort);
  }

  async addAgent(): Promise<void> {
    this.agents.push(await startAgent(this.#agentFlags, {}, launcherOf("agent")));
  }

  /** Waits until every agent knows of so many servers and is linked to each of those that run. */
  async agentsHave(servers: number, limitMs?: number): Promise<void> {
    const seen = async (agent: AgentProcess) => [
      await metric(agent, `${agentMetric}_known_server_count`),
      await metric(agent, `${agentMetric}_open_server_connections`),
    ];
    await until(`agents know ${servers} servers and are linked to them`, async () => {
      for (const agent of this.agents) {
        if ((await seen(agent)).some((value) => value !== servers)) return false;
      }
      return true;
    }, limitMs).catch(async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await Promise.all(this.agents.map(seen)))}\n${this.tails()}`);
    });
  }

  async leases(): Promise<string[]> {
    const names = await this.#cluster.kubectlText("get", "leases", `-n=${namespace}`, "-o=name");
    return names.split("\n").filter((name) => name.includes("konnectivity")).map((name) =>
      name.split("server-")[1] ?? ""
    );
  }

  tails(): string {
    const programs = [...this.servers.values(), ...this.agents.map((process) => ({ process }))];
    return programs.map(({ process }) => process.program.tail()).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.agents) await agent[Symbol.asyncDispose]();
    for (const { client, process } of this.servers.values()) {
      await client[Symbol.asyncDispose]();
      await process[Symbol.asyncDispose]();
    }
    await this.#owned.disposeAsync();
  }
}

async function metric(agent: AgentProcess, name: string): Promise<number> {
  const { body } = await httpGet(agent.healthPort, "/metrics");
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(body)?.[1] ?? NaN);
}

/** A tunnel to the echo, which shows that it lives by what comes back. */
class EchoTunnel implements AsyncDisposable {
  readonly #tunnel: Tunnel;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #said = 0;

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
    this.#writer = tunnel.writable.getWriter();
    this.#reader = tunnel.readable.getReader();
  }

  static async through({ client }: HaServer, to: Destination): Promise<EchoTunnel> {
    return new EchoTunnel(await client.dial(to.address));
  }

  /** Sends a line and reads it back. @throws when the tunnel is lost */
  async ping(): Promise<void> {
    const line = `line ${++this.#said}\n`;
    await this.#writer.write(new TextEncoder().encode(line));
    let text = "";
    while (text.length < line.length) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`the tunnel ended at line ${this.#said}`);
      text += new TextDecoder().decode(value);
    }
    assert.equal(text, line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tunnel[Symbol.asyncDispose]();
  }
}

async function dialThrough(fleet: Fleet, id: string): Promise<void> {
  await using tunnel = await EchoTunnel.through(fleet.server(id), fleet.echo);
  await tunnel.ping();
}

test("three servers with leases and agents that count them: joined, killed, scaled up and down; nothing is lost but the killed server's tunnels", async (cluster) => {
  await using fleet = await Fleet.open(cluster);
  await fleet.addServer("s1");
  await fleet.addAgent();
  await fleet.addAgent();
  await fleet.agentsHave(1);

  // Scaled up: agents learn it from the leases' watch, not from a new list.
  await fleet.addServer("s2");
  await fleet.addServer("s3");
  await fleet.agentsHave(3);
  for (const agent of fleet.agents) assert.equal(await metric(agent, `${agentMetric}_lease_lists_total`), 1);
  assert.deepEqual((await fleet.leases()).sort(), ["s1", "s2", "s3"]);

  const first = await EchoTunnel.through(fleet.server("s1"), fleet.echo);
  const second = await EchoTunnel.through(fleet.server("s2"), fleet.echo);
  const third = await EchoTunnel.through(fleet.server("s3"), fleet.echo);
  for (const tunnel of [first, second, third]) await tunnel.ping();

  // Killed without a word: its tunnels are lost, and no others.
  const { program } = fleet.server("s2").process;
  program.signal("SIGKILL");
  await program.ended;
  await assert.rejects(second.ping());
  await fleet.forget("s2");
  let done = false;
  const others = (async () => {
    while (!done) {
      await Promise.all([first.ping(), third.ping(), dialThrough(fleet, "s1"), dialThrough(fleet, "s3")]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  // The lease ends by itself, and the other servers collect it.
  await Promise.race([fleet.agentsHave(2, leaseEndMs), others]);
  await Promise.race([
    until("the lease is collected", async () => !(await fleet.leases()).includes("s2"), leaseEndMs),
    others,
  ]);
  done = true;
  await others;

  // One more takes its place.
  await fleet.addServer("s4");
  await fleet.agentsHave(3);
  await dialThrough(fleet, "s4");

  // Scaled down in order: the lease goes at once, the tunnel runs on until it ends.
  const stopping = fleet.server("s3").process.stop();
  await until("the lease is gone", async () => !(await fleet.leases()).includes("s3"));
  await until(
    "agents know it",
    async () => await metric(fleet.agents[0] ?? assert.fail(), `${agentMetric}_known_server_count`) === 2,
  );
  for (let at = 0; at < 20; at++) await Promise.all([first.ping(), third.ping()]);
  await third[Symbol.asyncDispose]();
  const { code, signals } = await stopping;
  assert.equal(code, 0);
  assert.equal(signals, 1);
  await fleet.forget("s3");
  await fleet.agentsHave(2);

  // The API away for a while: everything runs on, and a server that comes afterwards is joined.
  await cluster.stopApi();
  await first.ping();
  for (const id of ["s1", "s4"]) await dialThrough(fleet, id);
  await cluster.startApi();
  await fleet.addServer("s5");
  await fleet.agentsHave(3, leaseEndMs);
  await first.ping();
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]().catch(() => {});
  for (const id of ["s1", "s4", "s5"]) await dialThrough(fleet, id);
});

test("[server W23] agents with a token of another account, or for another audience, are refused by a real server, which says why", async (cluster) => {
  await using fleet = await Fleet.open(cluster);
  await fleet.addServer("t1");
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "other", namespace } });
  const { process } = fleet.server("t1");
  const folder = await Deno.makeTempDir();
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["other", agentAudience, /incoming request from "other" service account/],
    ["konnectivity-agent", "https://kubernetes", /service account jwt not valid|token audiences/],
  ];
  for (const [account, audience, expected] of refused) {
    await Deno.writeTextFile(`${folder}/token`, await cluster.createToken(namespace, account, audience));
    await using agent = await startAgent([
      `--ca-cert=${certificates.caCert}`,
      `--service-account-token-path=${folder}/token`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${process.agentPort}`,
      "--sync-interval=100ms",
    ]);
    await until("the agent says why it is refused", () => expected.test(agent.program.log));
    await until("the server says so, too", () => expected.test(process.program.log));
    assert.doesNotMatch(agent.program.log, /expected "konnectivity-agent"|eyJ/);
    assert.doesNotMatch(process.program.log, /eyJ/);
    // A token that becomes good is let in: it is read again at each attempt.
    if (account === "other") continue;
    await Deno.writeTextFile(
      `${folder}/token`,
      await cluster.createToken(namespace, "konnectivity-agent", agentAudience),
    );
    await agent.ready();
  }
  assert.match(process.program.log, /expected "konnectivity-agent"/);
  await Deno.remove(folder, { recursive: true });
});
