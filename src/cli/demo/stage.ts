import { join } from "node:path";
import type { Role } from "../permissions_command.ts";
import { FreePorts } from "./free_ports.ts";
import { agentFlags, clientFlags, type Frontend, type FrontendPlaces, serverFlags } from "./frontends.ts";
import { answers } from "./health.ts";
import { Part, PartError } from "./part.ts";
import type { Passage } from "./report.ts";
import type { RoleCommand } from "./sandboxed_command.ts";

/** How long a program may take to answer, and a request to pass, on a machine that is busy. */
const limitMs = 60_000;
/** How often other ports are tried when somebody else took the chosen one meanwhile. */
const portAttempts = 3;

/** What proxy-test-client logs of an answer: its status, and the time from the connection to the last byte. */
const answerLine = /\/success answered (\d{3}) with \d+ bytes after (\d+) ms$/m;

/** What {@link Stage} needs to know. */
export interface StageOptions {
  /** Folder of the certificates. */
  readonly certs: string;
  /** Folder for logs and sockets. */
  readonly folder: string;
  readonly command: RoleCommand;
  /** Ends every wait with its reason. */
  readonly signal: AbortSignal;
}

/** The processes of the demo. Disposing of it ends those that run. */
export class Stage implements AsyncDisposable {
  readonly #options: StageOptions;
  readonly #ports = new FreePorts();
  /** In the order of starting. */
  readonly #parts: Part[] = [];

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /**
   * Starts http-test-server.
   * @returns its port
   * @throws {PartError}
   */
  async startDestination(): Promise<number> {
    return await this.#withFreePorts(async () => {
      const port = await this.#ports.next();
      const part = this.#start("http-test-server", "test-server", "test-server", [`--server-port=${port}`]);
      await part.until("to answer", () => answers(port, "/success"), limitMs, this.#options.signal);
      return port;
    });
  }

  /**
   * Starts a frontend's proxy-server and its proxy-agent, and waits until they are connected.
   * @throws {PartError}
   */
  async startFrontend(frontend: Frontend, destinationPort: number): Promise<FrontendPlaces> {
    const { certs, folder, signal } = this.#options;
    const places = await this.#withFreePorts(async () => {
      const next = () => this.#ports.next();
      const places: FrontendPlaces = {
        clients: frontend.transport === "unix" ? join(folder, `${frontend.key}.sock`) : await next(),
        agents: await next(),
        serverHealth: await next(),
        serverAdmin: await next(),
      };
      const title = `proxy-server (${frontend.title})`;
      const flags = serverFlags(frontend, places, certs);
      const server = this.#start(title, `server-${frontend.key}`, "server", flags);
      await server.until("to answer", () => answers(places.serverHealth, "/healthz"), limitMs, signal);
      return places;
    });
    await this.#withFreePorts(async () => {
      const own = { health: await this.#ports.next(), admin: await this.#ports.next() };
      const title = `proxy-agent (${frontend.title})`;
      const flags = agentFlags(places, own, destinationPort, certs);
      const agent = this.#start(title, `agent-${frontend.key}`, "agent", flags);
      const connected = async () =>
        await answers(own.health, "/readyz") && await answers(places.serverHealth, "/readyz");
      await agent.until("to connect to its server", connected, limitMs, signal);
    });
    return places;
  }

  /**
   * Sends one request through a frontend.
   * @throws {PartError}
   */
  async request(frontend: Frontend, places: FrontendPlaces, destinationPort: number): Promise<Passage> {
    const { certs, signal } = this.#options;
    const title = `proxy-test-client (${frontend.title})`;
    const flags = clientFlags(frontend, places, destinationPort, certs);
    const client = this.#start(title, `client-${frontend.key}`, "test-client", flags);
    const code = await client.end(limitMs, signal);
    if (code !== 0) throw new PartError(client, `ended with exit code ${code}`);
    if (!client.log.includes("The success test page!")) throw new PartError(client, "did not print the page");
    const [, status, ms] = answerLine.exec(client.log) ?? [];
    if (status === undefined || ms === undefined) throw new PartError(client, "did not log the answer");
    return { frontend, places, status: Number(status), ms: Number(ms) };
  }

  /** Ends all at once, without waiting. */
  kill(): void {
    for (const part of this.#parts) part.kill();
  }

  /** Ends all, and waits until they are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#parts.toReversed().map((part) => part.stop()));
  }

  #start(title: string, key: string, role: Role, flags: readonly string[]): Part {
    this.#options.signal.throwIfAborted();
    const command = this.#options.command(role, flags);
    const part = Part.start(title, command, join(this.#options.folder, `${key}.log`));
    this.#parts.push(part);
    return part;
  }

  async #withFreePorts<T>(start: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await start();
      } catch (error) {
        const taken = error instanceof PartError && /EADDRINUSE|address already in use/i.test(error.lastLines.join());
        if (!taken || attempt === portAttempts) throw error;
      }
    }
  }
}
