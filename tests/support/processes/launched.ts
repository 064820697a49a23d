import { connect, type ProxyClient } from "../../../src/client/mod.ts";
import { freePort } from "./free_port.ts";
import {
  type AgentProcess,
  launcherOf,
  type Program,
  type ServerProcess,
  startAgent,
  startServer,
} from "./processes.ts";
import type { FrontendKind } from "../in_process/stack.ts";
import { type TestCertificateFiles, testCertificates, writeTestCertificates } from "../in_process/test_certificates.ts";

/** What the flags of one program add to the plain ones. */
type Flags = readonly string[];

/** How {@link Launched.start} differs from the plain one. */
export interface LaunchOptions {
  readonly serverFlags?: Flags;
  readonly agentFlags?: Flags;
  /** Variables that both programs' launchers see beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The server's program and first arguments, where it is not the launcher. */
  readonly serverCommand?: readonly string[];
  /** The same for the agent. */
  readonly agentCommand?: readonly string[];
}

/**
 * A server and an agent as users run them: processes behind their launchers, under the permissions of their flags, which
 * a test may kill and start anew at the same addresses. What still runs at the end is stopped, and must end in order.
 */
export class Launched implements AsyncDisposable {
  readonly kind: FrontendKind;
  /** Folder for the test's own files, removed at the end. */
  readonly folder: string;
  readonly certificates: TestCertificateFiles;
  /** Path of the frontend's Unix socket; empty over TLS. */
  readonly uds: string;
  /** Port of the frontend on 127.0.0.1; 0 over a Unix socket. */
  readonly port: number;
  readonly #options: LaunchOptions;
  readonly #parts = new AsyncDisposableStack();
  /** Programs that the test ended itself. */
  readonly #over = new Set<Program>();
  #server: ServerProcess | undefined;
  #agent: AgentProcess | undefined;

  private constructor(
    kind: FrontendKind,
    place: { readonly folder: string; readonly certificates: TestCertificateFiles; readonly port: number },
    options: LaunchOptions,
  ) {
    this.kind = kind;
    this.folder = place.folder;
    this.certificates = place.certificates;
    this.port = place.port;
    this.uds = place.port === 0 ? `${place.folder}/frontend.sock` : "";
    this.#options = options;
    this.#parts.defer(() => Deno.remove(place.folder, { recursive: true }));
  }

  /** Starts both, and waits until they are connected. */
  static async start(kind: FrontendKind, options: LaunchOptions = {}): Promise<Launched> {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const port = kind.endsWith("-tls") ? await freePort() : 0;
    const launched = new Launched(kind, { folder, certificates, port }, options);
    try {
      await launched.startServer();
      await launched.startAgent();
      await launched.ready();
      return launched;
    } catch (error) {
      await launched[Symbol.asyncDispose]();
      throw error;
    }
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error("the server has not been started");
    return this.#server;
  }

  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error("the agent has not been started");
    return this.#agent;
  }

  /** Starts the server; a second one has the first one's ports. */
  async startServer(): Promise<void> {
    const before = this.#server;
    this.#server = await startServer(
      [
        ...serverFlagsOf(this.kind, this),
        ...(this.#options.serverFlags ?? []),
        ...(before === undefined ? [] : [
          `--agent-port=${before.agentPort}`,
          `--health-port=${before.healthPort}`,
          `--admin-port=${before.adminPort}`,
        ]),
      ],
      this.#options.env ?? {},
      this.#options.serverCommand ?? await launcherOf("server"),
    );
    this.#own(this.#server);
  }

  /** Starts an agent of the server. */
  async startAgent(): Promise<void> {
    this.#agent = await startAgent(
      [...agentFlagsOf(this.certificates, this.server.agentPort), ...(this.#options.agentFlags ?? [])],
      this.#options.env ?? {},
      this.#options.agentCommand ?? await launcherOf("agent"),
    );
    this.#own(this.#agent);
  }

  /** Waits until server and agent are connected. */
  async ready(): Promise<void> {
    try {
      await this.agent.ready();
      await this.server.ready();
    } catch (error) {
      // The side that waits seldom tells what the other one does.
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.logs}`, { cause: error });
    }
  }

  /** A client of the server, which its taker ends. */
  async client(): Promise<ProxyClient> {
    const mode = this.kind.startsWith("grpc") ? "grpc" : "http-connect";
    if (this.uds !== "") return await connect({ mode, transport: "unix", path: this.uds });
    const { caCert, clientCert, clientKey } = this.certificates;
    const read = (path: string) => Deno.readTextFile(path);
    const tls = { ca: await read(caCert), cert: await read(clientCert), key: await read(clientKey) };
    return await connect({ mode, transport: "tls", host: "127.0.0.1", port: this.port, tls });
  }

  /** Kills a program, and waits until it is gone. */
  async kill({ program }: ServerProcess | AgentProcess): Promise<void> {
    this.#over.add(program);
    program.signal("SIGKILL");
    await program.ended;
    await program.stop();
  }

  /** Waits until a program that the test has sent a signal to is gone. @returns its exit code */
  async end({ program }: ServerProcess | AgentProcess): Promise<number> {
    this.#over.add(program);
    const { code } = await program.ended;
    await program.stop();
    return code;
  }

  /** The ends of both logs. */
  get logs(): string {
    return [this.#server, this.#agent].map((one) => one?.program.tail() ?? "").join("\n");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }

  #own(one: ServerProcess | AgentProcess): void {
    this.#parts.defer(async () => {
      if (!this.#over.has(one.program)) await one[Symbol.asyncDispose]();
    });
  }
}

/** Flags of a server with one frontend, its ports for agents, health and admin aside. */
export function serverFlagsOf(
  kind: FrontendKind,
  { certificates, uds, port }: {
    readonly certificates: TestCertificateFiles;
    readonly uds: string;
    readonly port: number;
  },
): Flags {
  const { caCert, serverCert, serverKey } = certificates;
  return [
    `--mode=${kind.startsWith("grpc") ? "grpc" : "http-connect"}`,
    `--server-port=${port}`,
    ...(uds === ""
      ? [
        "--server-bind-address=127.0.0.1",
        `--server-ca-cert=${caCert}`,
        `--server-cert=${serverCert}`,
        `--server-key=${serverKey}`,
      ]
      : [`--uds-name=${uds}`]),
    `--cluster-ca-cert=${caCert}`,
    `--cluster-cert=${serverCert}`,
    `--cluster-key=${serverKey}`,
  ];
}

/** Flags of an agent of a server on this machine, its ports for health and admin aside. */
export function agentFlagsOf({ caCert, clientCert, clientKey }: TestCertificateFiles, port: number): Flags {
  return [
    `--ca-cert=${caCert}`,
    `--agent-cert=${clientCert}`,
    `--agent-key=${clientKey}`,
    "--proxy-server-host=127.0.0.1",
    `--proxy-server-port=${port}`,
    "--sync-interval=100ms",
    "--sync-interval-cap=1s",
  ];
}
