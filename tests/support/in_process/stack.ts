import { type RunningAgent, startAgent } from "../../../src/programs/agent/run.ts";
import { parseAgentFlags } from "../../../src/programs/agent/agent_flags.ts";
import { type RunningServer, startServer } from "../../../src/programs/server/run.ts";
import { parseServerFlags } from "../../../src/programs/server/server_flags.ts";
import { connect, type ProxyClient } from "../../../src/client/mod.ts";
import { type TestCertificateFiles, testCertificates, writeTestCertificates } from "./test_certificates.ts";
import { until } from "../assert/until.ts";

/** What a frontend speaks, and over what. */
export type FrontendKind = "grpc-uds" | "grpc-tls" | "connect-uds" | "connect-tls";

/** A server as {@link Stack.server} starts it. */
export interface StackServer {
  readonly running: RunningServer;
  readonly kind: FrontendKind;
  readonly agentPort: number;
  /** Path of the frontend's Unix socket; empty over TLS. */
  readonly uds: string;
  /** Port of the frontend on 127.0.0.1; 0 over a Unix socket. */
  readonly port: number;
}

/**
 * Servers, agents and clients of ours, composed from their flags as the programs compose them, but within the test's own
 * process and on ports that the system chooses. All of it ends with the stack.
 */
export class Stack implements AsyncDisposable {
  readonly dir: string;
  readonly certificates: TestCertificateFiles;
  readonly #parts = new AsyncDisposableStack();
  #sockets = 0;

  private constructor(dir: string, certificates: TestCertificateFiles) {
    this.dir = dir;
    this.certificates = certificates;
    this.#parts.defer(() => Deno.remove(dir, { recursive: true }));
  }

  static async open(): Promise<Stack> {
    const dir = await Deno.makeTempDir({ prefix: "konnectivity-" });
    return new Stack(dir, await writeTestCertificates(dir, await testCertificates()));
  }

  async server(kind: FrontendKind, ...flags: string[]): Promise<StackServer> {
    const { caCert, serverCert, serverKey } = this.certificates;
    const overTls = kind.endsWith("-tls");
    const uds = overTls ? "" : `${this.dir}/frontend-${++this.#sockets}.sock`;
    const parsed = parseServerFlags([
      `--mode=${kind.startsWith("grpc") ? "grpc" : "http-connect"}`,
      "--server-port=0",
      ...(overTls
        ? [`--server-ca-cert=${caCert}`, `--server-cert=${serverCert}`, `--server-key=${serverKey}`]
        : [`--uds-name=${uds}`]),
      `--cluster-ca-cert=${caCert}`,
      `--cluster-cert=${serverCert}`,
      `--cluster-key=${serverKey}`,
      ...["server", "agent", "health"].map((listener) => `--${listener}-bind-address=127.0.0.1`),
      ...["agent", "admin", "health"].map((listener) => `--${listener}-port=0`),
      ...flags,
    ], () => undefined);
    if (parsed.kind !== "options") throw new Error(`flags were refused: ${JSON.stringify(parsed)}`);
    const running = this.#parts.use(await startServer(parsed.options));
    return { running, kind, agentPort: portOf(running.agents), uds, port: overTls ? portOf(running.frontend) : 0 };
  }

  /** Starts an agent that may connect to a port of this machine; attempts come quickly. */
  async agent(port: number, ...flags: string[]): Promise<RunningAgent> {
    const { caCert, clientCert, clientKey } = this.certificates;
    const parsed = parseAgentFlags([
      `--ca-cert=${caCert}`,
      `--agent-cert=${clientCert}`,
      `--agent-key=${clientKey}`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${port}`,
      "--health-server-host=127.0.0.1",
      "--health-server-port=0",
      "--admin-server-port=0",
      "--sync-interval=50ms",
      "--sync-interval-cap=200ms",
      ...flags,
    ], () => undefined);
    if (parsed.kind !== "options") throw new Error(`flags were refused: ${JSON.stringify(parsed)}`);
    return this.#parts.use(await startAgent(parsed.options));
  }

  /** A server with one agent, which are connected. */
  async pair(kind: FrontendKind, serverFlags: readonly string[] = [], agentFlags: readonly string[] = []) {
    const server = await this.server(kind, ...serverFlags);
    const agent = await this.agent(server.agentPort, ...agentFlags);
    await until("the agent is connected", () => agent.agent.ready);
    return { server, agent };
  }

  /** A client of a server. */
  async client({ kind, uds, port }: StackServer): Promise<ProxyClient> {
    const mode = kind.startsWith("grpc") ? "grpc" : "http-connect";
    if (uds !== "") return this.#parts.use(await connect({ mode, transport: "unix", path: uds }));
    const { caCert, clientCert, clientKey } = this.certificates;
    const [ca, cert, key] = await Promise.all([caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)));
    if (ca === undefined || cert === undefined || key === undefined) throw new Error("no certificates");
    return this.#parts.use(
      await connect({ mode, transport: "tls", host: "127.0.0.1", port, tls: { ca, cert, key } }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}

function portOf({ address }: RunningServer["frontend"]): number {
  if (address.kind !== "tcp") throw new Error("a Unix socket has no port");
  return address.port;
}

/** The health port's answer to a path. */
export async function health(
  running: RunningServer | RunningAgent,
  path: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${running.health.port}${path}`, { headers: { connection: "close" } });
  return { status: response.status, body: await response.text() };
}

/**
 * The value of a metric.
 * @param name with its labels as they are exported, behind `konnectivity_network_proxy_`
 * @returns 0 for a series that there is not
 */
export async function metric(running: RunningServer | RunningAgent, name: string): Promise<number> {
  const { body } = await health(running, "/metrics");
  const line = body.split("\n").find((each) => each.startsWith(`konnectivity_network_proxy_${name} `));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
}
