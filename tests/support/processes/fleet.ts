import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { connect, type ProxyClient } from "../../../src/client/mod.ts";
import { freePort } from "./free_port.ts";
import { type AgentProcess, httpGet, type ServerProcess, startAgent, startServer } from "./processes.ts";
import { type TestCertificateFiles, testCertificates, writeTestCertificates } from "../in_process/test_certificates.ts";

const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
/** Frontends of every kind of protocol. */
const modes = ["grpc", "http-connect", "grpc"] as const;

/** A place for a server, which has an address of its own, and at times a server. */
export interface ServerSeat {
  readonly name: string;
  readonly mode: "grpc" | "http-connect";
  readonly uds: string;
  process: ServerProcess | undefined;
}

/** A place for an agent. */
export interface AgentSeat {
  readonly name: string;
  process: AgentProcess | undefined;
}

/** Servers and agents as processes: each agent is told of every place where there may be a server. */
export class Fleet implements AsyncDisposable {
  readonly servers: readonly ServerSeat[];
  readonly agents: readonly AgentSeat[];
  readonly #folder: string;
  readonly #certificates: TestCertificateFiles;
  readonly #agentPort: number;

  private constructor(folder: string, certificates: TestCertificateFiles, agentPort: number, agents: number) {
    this.#folder = folder;
    this.#certificates = certificates;
    this.#agentPort = agentPort;
    this.servers = modes.map((mode, at) => ({
      name: `server ${at + 1}`,
      mode,
      uds: `${folder}/${at + 1}.sock`,
      process: undefined,
    }));
    this.agents = Array.from({ length: agents }, (_, at) => ({ name: `agent ${at + 1}`, process: undefined }));
  }

  static async open(agents: number): Promise<Fleet> {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-fleet-" });
    const certificates = await testCertificates();
    const server = await issueLeaf(certificates.ca, {
      commonName: "fleet",
      usages: ["server"],
      addresses,
      keyKind: "p-256",
    });
    const files = await writeTestCertificates(folder, { ...certificates, server });
    return new Fleet(folder, files, await freePort(), agents);
  }

  /** Starts a server that says how many there are. */
  async startServer(seat: ServerSeat, serverCount: number): Promise<void> {
    const { caCert, serverCert, serverKey } = this.#certificates;
    seat.process = await startServer([
      `--mode=${seat.mode}`,
      "--server-port=0",
      `--uds-name=${seat.uds}`,
      `--agent-bind-address=${addresses[this.servers.indexOf(seat)]}`,
      `--agent-port=${this.#agentPort}`,
      `--cluster-ca-cert=${caCert}`,
      `--cluster-cert=${serverCert}`,
      `--cluster-key=${serverKey}`,
      `--server-count=${serverCount}`,
      "--graceful-shutdown-timeout=30s",
    ]);
  }

  async startAgent(seat: AgentSeat): Promise<void> {
    const { caCert, clientCert, clientKey } = this.#certificates;
    seat.process = await startAgent([
      `--ca-cert=${caCert}`,
      `--agent-cert=${clientCert}`,
      `--agent-key=${clientKey}`,
      `--proxy-server-host=${addresses.join()}`,
      `--proxy-server-port=${this.#agentPort}`,
      "--sync-interval=200ms",
      "--sync-interval-cap=1s",
    ]);
  }

  /** Kills what sits there, without a warning. */
  async kill(seat: ServerSeat | AgentSeat): Promise<void> {
    const { program } = taken(seat);
    program.signal("SIGKILL");
    await program.ended;
    await program.stop();
    seat.process = undefined;
  }

  /** Asks what sits there to end, and waits until it has: in order. */
  async drain(seat: ServerSeat | AgentSeat): Promise<void> {
    const { program } = taken(seat);
    program.signal("SIGTERM");
    const { code } = await program.ended;
    const { tail } = { tail: program.tail() };
    await program.stop();
    seat.process = undefined;
    if (code !== 0) throw new Error(`${seat.name} ended with ${code}\n${tail}`);
  }

  client({ mode, uds }: ServerSeat): Promise<ProxyClient> {
    return connect({ mode, transport: "unix", path: uds });
  }

  /** Servers that each agent is linked to, by the agents' own word. */
  async links(): Promise<number[]> {
    return await Promise.all(
      this.agents.map((seat) => metric(taken(seat).healthPort, "agent_open_server_connections")),
    );
  }

  /** Agents that each running server is linked to, by the servers' own word. */
  async backends(): Promise<number[]> {
    const running = this.servers.flatMap(({ process }) => process === undefined ? [] : [process]);
    return await Promise.all(running.map(({ healthPort }) => metric(healthPort, "server_ready_backend_connections")));
  }

  /** The ends of all logs. */
  get logs(): string {
    return [...this.servers, ...this.agents].map(({ process }) => process?.program.tail(8) ?? "").join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = await Promise.allSettled(
      [...this.agents, ...this.servers].map((seat) => seat.process === undefined ? undefined : this.drain(seat)),
    );
    await Deno.remove(this.#folder, { recursive: true });
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}

function taken<Process>({ name, process }: { readonly name: string; readonly process: Process | undefined }): Process {
  if (process === undefined) throw new Error(`there is no ${name}`);
  return process;
}

/** The sum over all series of a metric, by its name behind `konnectivity_network_proxy_`. */
export async function metric(port: number, name: string): Promise<number> {
  const { body } = await httpGet(port, "/metrics");
  const series = body.split("\n").filter((line) =>
    new RegExp(`^konnectivity_network_proxy_${name}(\\{|\\s)`).test(line)
  );
  return series.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
