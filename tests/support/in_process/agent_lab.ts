import { connect, createServer, type Socket } from "node:net";
import { type RunningAgent, startAgent } from "../../../src/programs/agent/run.ts";
import { parseAgentFlags } from "../../../src/programs/agent/agent_flags.ts";
import { type TestCertificateFiles, testCertificates, writeTestCertificates } from "./test_certificates.ts";

/** A folder with certificates, and agents that use them. */
export class AgentLab implements AsyncDisposable {
  readonly dir: string;
  readonly files: TestCertificateFiles;
  readonly #agents: RunningAgent[] = [];

  private constructor(dir: string, files: TestCertificateFiles) {
    this.dir = dir;
    this.files = files;
  }

  static async open(): Promise<AgentLab> {
    const dir = await Deno.makeTempDir();
    return new AgentLab(dir, await writeTestCertificates(dir, await testCertificates()));
  }

  /** Variables that agents started from now on see. */
  env: Readonly<Record<string, string>> = {};

  /** Starts an agent that may connect to these ports of this machine; attempts come quickly. */
  async agent(ports: readonly number[] | number, ...flags: string[]): Promise<RunningAgent> {
    const [port] = [ports].flat();
    const parsed = parseAgentFlags([
      `--ca-cert=${this.files.caCert}`,
      `--agent-cert=${this.files.clientCert}`,
      `--agent-key=${this.files.clientKey}`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${port}`,
      "--health-server-host=127.0.0.1",
      "--health-server-port=0",
      "--admin-server-port=0",
      "--agent-id=agent-1",
      "--sync-interval=50ms",
      "--sync-interval-cap=200ms",
      ...flags,
    ], () => undefined);
    if (parsed.kind !== "options") throw new Error(`flags were refused: ${JSON.stringify(parsed)}`);
    const running = await startAgent(parsed.options, (name) => this.env[name]);
    this.#agents.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** The health port's answer to a path. */
export async function health(running: RunningAgent, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${running.health.port}${path}`);
  return { status: response.status, body: await response.text() };
}

/** The value of a metric, by its name behind the prefix and its labels. */
export async function metric(running: RunningAgent, line: string): Promise<string | undefined> {
  const { body } = await health(running, "/metrics");
  return body.split("\n").find((each) => each.startsWith(`konnectivity_network_proxy_agent_${line} `))?.split(" ").at(
    -1,
  );
}

/** A destination that accepts connections and never reads. */
export async function stuckDestination(): Promise<
  { address: string; readonly open: number; read(): void } & AsyncDisposable
> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  const port = await listening(server);
  return {
    address: `127.0.0.1:${port}`,
    get open() {
      return sockets.size;
    },
    read() {
      // A socket that nobody reads does not notice its peer's end.
      for (const socket of sockets) socket.on("end", () => socket.destroy()).resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Hands each connection to one of some ports, chosen at random. */
export async function startBalancer(
  first: readonly number[],
): Promise<{ port: number; ports: readonly number[] } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const balancer = { port: 0, ports: first, [Symbol.asyncDispose]: close };
  const server = createServer((incoming) => {
    const port = balancer.ports[Math.floor(Math.random() * balancer.ports.length)] ?? 0;
    const outgoing = connect(port, "127.0.0.1");
    for (const [socket, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  balancer.port = await listening(server);
  return balancer;
}

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(address === null || typeof address === "string" ? 0 : address.port);
    });
  });
}
