import { createServer, type Server, type Socket } from "node:net";
import { connect, type ProxyClient, type Tunnel } from "../../src/client/mod.ts";
import type { RunningAgent } from "../../src/programs/agent/run.ts";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { until } from "../support/assert/until.ts";
import { AgentLab } from "../support/in_process/agent_lab.ts";
import { serverFlagsOf } from "../support/processes/launched.ts";
import { httpGet, launcherOf, type ServerProcess, startServer } from "../support/processes/processes.ts";

/** A destination that echoes, at an address of this machine's own. */
interface Echo extends AsyncDisposable {
  readonly address: string;
}

/** Opens an echo. @param port 0: any that is free */
export async function openEcho(host: string, port: number): Promise<Echo> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.pipe(socket);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port, backlog: 4_096 }, resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the echo has no port");
  return {
    address: `${host}:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * A server behind its launcher, as a process of its own, whose page a browser looks at; its agents and clients are in this
 * process, over real links and sockets.
 */
export class PageWorld implements AsyncDisposable {
  readonly lab: AgentLab;
  readonly #parts = new AsyncDisposableStack();
  readonly #flags: readonly string[];
  #server: ServerProcess | undefined;
  #client: ProxyClient | undefined;

  private constructor(lab: AgentLab, flags: readonly string[]) {
    this.lab = lab;
    this.#flags = flags;
    this.#parts.use(lab);
  }

  static async open(...flags: string[]): Promise<PageWorld> {
    const lab = await AgentLab.open();
    const place = { certificates: lab.files, uds: `${lab.dir}/frontend.sock`, port: 0 };
    const world = new PageWorld(lab, [...serverFlagsOf("grpc-uds", place), ...flags]);
    try {
      await world.startServer();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error("the server does not run");
    return this.#server;
  }

  /** Where the server's page is. */
  get url(): string {
    return `http://127.0.0.1:${this.server.adminPort}/`;
  }

  /** Starts the server; a second one has the first one's ports. */
  async startServer(): Promise<void> {
    const before = this.#server;
    const ports = before === undefined ? [] : [
      `--agent-port=${before.agentPort}`,
      `--health-port=${before.healthPort}`,
      `--admin-port=${before.adminPort}`,
    ];
    this.#server = await startServer([...this.#flags, ...ports], {}, await launcherOf("server"));
  }

  /** Kills the server without a warning. */
  async killServer(): Promise<void> {
    const { program } = this.server;
    program.signal("SIGKILL");
    await program.ended;
    await program.stop();
  }

  /** Starts an agent of the server, and waits until they are linked. */
  async agent(id: string, ...flags: string[]): Promise<RunningAgent> {
    const agent = await this.lab.agent(this.server.agentPort, `--agent-id=${id}`, ...flags);
    await until(`${id} is linked`, async () => (await httpGet(agent.health.port, "/readyz")).status === 200);
    await this.server.ready();
    return agent;
  }

  /** Starts many agents, and waits until the server has a link to each. */
  async agents(ids: readonly string[], ...flags: string[]): Promise<void> {
    // A few at a time: each costs the server a handshake.
    const waiting = [...ids];
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        await this.lab.agent(this.server.agentPort, `--agent-id=${id}`, ...flags);
      }
    }));
    await until(`${ids.length} agents are linked`, async () => {
      const { status, body } = await httpGet(this.server.adminPort, "/status?agents=0&tunnels=0&dials=0");
      return status === 200 && (JSON.parse(body) as ServerStatus).agents.total >= ids.length;
    });
  }

  /** Opens a tunnel, which ends with the world. */
  async dial(destination: string): Promise<Tunnel> {
    this.#client ??= await connect({ mode: "grpc", transport: "unix", path: `${this.lab.dir}/frontend.sock` });
    const tunnel = await this.#client.dial(destination);
    this.#parts.defer(() => tunnel.close());
    return tunnel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync().finally(async () => {
      if (this.#server?.program.status === undefined) await this.#server?.[Symbol.asyncDispose]();
    });
  }
}

/** Sends through a tunnel to an echo, and reads what comes back, until it is told to end. */
export class Chatter implements AsyncDisposable {
  #stopped = false;
  readonly #done: Promise<void>;

  /** @param pauseMs between two pieces */
  constructor(tunnel: Tunnel, pieceBytes: number, pauseMs: number) {
    this.#done = this.#talk(tunnel, pieceBytes, pauseMs).catch(() => {});
  }

  async #talk({ writable, readable }: Tunnel, pieceBytes: number, pauseMs: number): Promise<void> {
    const [writer, reader] = [writable.getWriter(), readable.getReader()];
    const piece = new Uint8Array(pieceBytes);
    while (!this.#stopped) {
      await writer.write(piece);
      for (let heard = 0; heard < pieceBytes;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard += value.length;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}
