import assert from "node:assert/strict";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { connect } from "../../src/client/connect.ts";
import type { ProxyClient } from "../../src/client/proxy_client.ts";
import { startBalancer } from "../support/in_process/agent_lab.ts";
import { type Destination, echoDestination } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import {
  type AgentProcess,
  httpGet,
  launcherOf,
  type ServerProcess,
  startAgent,
  startServer,
} from "../support/processes/processes.ts";
import {
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { agentAudience, type Cluster } from "./cluster.ts";
import { kindOf, kustomize } from "./manifests.ts";

/** Where the service accounts are, and where the leases: both as in the examples. */
export const namespace = "kube-system";
export const leaseNamespace = "konnectivity-leases";
/** What the names of the agent's metrics begin with. */
export const agentMetric = "konnectivity_network_proxy_agent";

/** A server of a fleet, and a client of it. */
export interface HaServer {
  readonly process: ServerProcess;
  readonly client: ProxyClient;
}

/** How agents find servers: all behind an address that leads to any of them, or each under an address of its own. */
export type Finding = "balancer" | "addresses";

/** How a fleet differs from a plain one. */
export interface HaFleetOptions {
  readonly finding?: Finding;
  /** In place of agents that connect in quick succession. */
  readonly agentFlags?: readonly string[];
  /** What servers' flags add to the plain ones. @param certificates the fleet's */
  readonly serverFlags?: (certificates: TestCertificateFiles) => readonly string[];
}

/** Addresses for servers that have one each. */
const serverAddresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
const quickAgents = ["--sync-interval=100ms", "--sync-interval-cap=500ms"];

interface Seat {
  readonly address: string;
  readonly port: number;
}

interface Parts {
  readonly cluster: Cluster;
  readonly owned: AsyncDisposableStack;
  readonly serverFlags: readonly string[];
  readonly agentFlags: readonly string[];
  readonly finding: Finding;
  /** Leads to the servers' agent ports; unused where they have addresses of their own. */
  readonly balancer: { ports: readonly number[] };
  /** Which all servers have that have addresses of their own. */
  readonly agentPort: number;
  readonly folder: string;
  readonly certificates: TestCertificateFiles;
  readonly echo: Destination;
}

/**
 * Servers that hold leases, agents that count them, and something to reach: as the roles of examples/kubernetes allow, and
 * under the permissions of their flags.
 */
export class HaFleet implements AsyncDisposable {
  readonly servers = new Map<string, HaServer>();
  readonly agents: AgentProcess[] = [];
  readonly echo: Destination;
  readonly #parts: Parts;
  /** Where each server listens for agents. */
  readonly #seats = new Map<string, Seat>();

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.echo = parts.echo;
  }

  static async open(cluster: Cluster, options: HaFleetOptions = {}): Promise<HaFleet> {
    const { finding = "balancer", agentFlags = quickAgents, serverFlags = () => [] } = options;
    await using undo = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    undo.defer(() => Deno.remove(folder, { recursive: true }));
    const { ca, client } = await testCertificates();
    const server = await issueLeaf(ca, {
      commonName: "server",
      usages: ["server"],
      addresses: ["127.0.0.1", ...serverAddresses],
      keyKind: "p-256",
    });
    const certificates = await writeTestCertificates(folder, { ca, client, server });
    const { caCert, serverCert, serverKey } = certificates;
    const roles = await kustomize(cluster, "kubernetes/base");
    await cluster.apply(...roles.filter((each) => /Role|ServiceAccount|Namespace/.test(kindOf(each))));
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
    const agentPort = await freePort();
    return new HaFleet({
      cluster,
      folder,
      certificates,
      echo,
      balancer,
      finding,
      agentPort,
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
        `--lease-namespace=${leaseNamespace}`,
        "--graceful-shutdown-timeout=60s",
        ...serverFlags(certificates),
      ],
      agentFlags: [
        `--ca-cert=${caCert}`,
        `--service-account-token-path=${folder}/token`,
        `--kubeconfig=${agentConfig}`,
        "--count-server-leases",
        `--lease-namespace=${leaseNamespace}`,
        `--proxy-server-host=${finding === "balancer" ? "127.0.0.1" : serverAddresses.join(",")}`,
        `--proxy-server-port=${finding === "balancer" ? balancer.port : agentPort}`,
        ...agentFlags,
      ],
      owned: undo.move(),
    });
  }

  /** Starts a server where agents find it. */
  async addServer(id: string): Promise<void> {
    const { serverFlags, folder } = this.#parts;
    const path = `${folder}/${id}.sock`;
    const seat = await this.#freeSeat();
    this.#seats.set(id, seat);
    // Its lease tells of it when it listens: a balancer has to know it by then.
    this.#balance();
    const flags = [`--agent-bind-address=${seat.address}`, `--agent-port=${seat.port}`];
    const process = await startServer(
      [...serverFlags, `--server-id=${id}`, `--uds-name=${path}`, ...flags],
      {},
      await launcherOf("server"),
    );
    const client = await connect({ mode: "http-connect", transport: "unix", path });
    this.servers.set(id, { process, client });
  }

  async #freeSeat(): Promise<Seat> {
    const { finding, agentPort } = this.#parts;
    if (finding === "balancer") return { address: "127.0.0.1", port: await freePort() };
    const taken = [...this.#seats.values()].map(({ address }) => address);
    const address = serverAddresses.find((each) => !taken.includes(each));
    assert.ok(address !== undefined, "every address has a server");
    return { address, port: agentPort };
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
    this.#seats.delete(id);
    this.#balance();
  }

  #balance(): void {
    this.#parts.balancer.ports = [...this.#seats.values()].map(({ port }) => port);
  }

  /** Starts an agent. Flags that are given take the place of those before them. */
  async addAgent(...flags: readonly string[]): Promise<AgentProcess> {
    const agent = await startAgent([...this.#parts.agentFlags, ...flags], {}, await launcherOf("agent"));
    this.agents.push(agent);
    return agent;
  }

  get certificates(): TestCertificateFiles {
    return this.#parts.certificates;
  }

  /** Writes a fresh token of the agents' account. @returns its path */
  async writeToken(name: string): Promise<string> {
    const path = `${this.#parts.folder}/${name}`;
    const { cluster } = this.#parts;
    await Deno.writeTextFile(path, await cluster.createToken(namespace, "konnectivity-agent", agentAudience));
    return path;
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
    const names = await this.#parts.cluster.kubectlText("get", "leases", `-n=${leaseNamespace}`, "-o=name");
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
    await this.#parts.owned.disposeAsync();
  }
}

/** A value of an agent's metrics; NaN where it has none. */
export async function metric(agent: AgentProcess, name: string): Promise<number> {
  const { body } = await httpGet(agent.healthPort, "/metrics");
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(body)?.[1] ?? NaN);
}
