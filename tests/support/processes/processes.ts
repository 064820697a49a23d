import { get } from "node:http";
import { fileURLToPath } from "node:url";
import { engineFlags } from "../../../src/runtime/engine_flags.ts";
import { builtProject } from "./built_project.ts";
import { freePort } from "./free_port.ts";
import { until } from "../assert/until.ts";

/**
 * Starts this project's programs as users do, as processes. `KONNECTIVITY_SERVER_COMMAND` and
 * `KONNECTIVITY_AGENT_COMMAND` put another implementation in their place (program and first arguments, space-separated),
 * so that the same tests can judge it.
 */
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What is kept of a program's output: the end of it. */
const logLimitChars = 1024 * 1024;
/** How long a program may take to end after SIGTERM, and how long after a second one. */
const endLimitMs = 60_000;
const startAttempts = 3;

/** How a program ended. */
export interface Ending {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** How many SIGTERMs it took. */
  readonly signals: number;
}

/** A running program. Disposing of it stops it and fails when it does not end in order. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Fulfilled when the process is gone. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #log = "";
  #status: Deno.CommandStatus | undefined;
  #ending: Promise<Ending> | undefined;

  constructor(name: string, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program, ...args] = command;
    if (program === undefined) throw new Error(`no command for ${name}`);
    this.name = name;
    this.#child = new Deno.Command(program, {
      args,
      cwd: root,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    running.add(this.#child);
    this.ended = this.#child.status.then((status) => {
      running.delete(this.#child);
      this.#status = status;
      return status;
    });
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** How it ended; undefined while it runs. */
  get status(): Deno.CommandStatus | undefined {
    return this.#status;
  }

  /** What it has written to standard output and standard error. */
  get log(): string {
    return this.#log;
  }

  /** The last lines of its log under a heading, for messages of failed tests. */
  tail(lines: number = 15): string {
    return `--- ${this.name} (last lines of its log)\n${this.#log.trimEnd().split("\n").slice(-lines).join("\n")}`;
  }

  /** Sends a signal; nothing happens when the process is gone. */
  signal(signal: Deno.Signal): void {
    if (this.#status !== undefined) return;
    this.#child.kill(signal);
  }

  /**
   * Sends SIGTERM and waits for the end; a program that needs a second one to leave gets it.
   * @param again milliseconds between the two
   * @throws when it ends neither time; it is killed then
   */
  stop(again: number = 20_000): Promise<Ending> {
    return this.#ending ??= this.#stop(again);
  }

  async #stop(again: number): Promise<Ending> {
    for (const [signals, limitMs] of [[1, again], [2, endLimitMs]] as const) {
      this.signal("SIGTERM");
      const status = await this.#endsWithin(limitMs);
      if (status !== undefined) {
        await this.#reading;
        return { code: status.code, signal: status.signal, signals };
      }
    }
    this.signal("SIGKILL");
    await this.ended;
    await this.#reading;
    throw new Error(`${this.name} survived two SIGTERMs and was killed\n${this.tail()}`);
  }

  async #endsWithin(limitMs: number): Promise<Deno.CommandStatus | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), limitMs));
    const status = await Promise.race([this.ended, limit]);
    clearTimeout(timer);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const early = this.#ending === undefined ? this.#status : undefined;
    if (early !== undefined) {
      throw new Error(`${this.name} had ended with code ${early.code} before it was stopped\n${this.tail()}`);
    }
    const ending = await this.stop();
    if (ending.code !== 0) throw new Error(`${this.name} ended with code ${ending.code}\n${this.tail()}`);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#log += decoder.decode(chunk, { stream: true });
      if (this.#log.length > logLimitChars) this.#log = this.#log.slice(-logLimitChars / 2);
    }
  }
}

const running = new Set<Deno.ChildProcess>();

// A test that fails before it stops its programs must not leave them behind.
addEventListener("unload", () => {
  for (const child of running) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended in this moment.
    }
  }
});

/** A running proxy-server. */
export interface ServerProcess extends AsyncDisposable {
  readonly program: Program;
  readonly agentPort: number;
  readonly healthPort: number;
  readonly adminPort: number;
  /** Waits until an agent is connected. */
  ready(): Promise<void>;
  stop(): Promise<Ending>;
}

/** A running proxy-agent. */
export interface AgentProcess extends AsyncDisposable {
  readonly program: Program;
  readonly healthPort: number;
  readonly adminPort: number;
  /** Waits until it is connected to a server. */
  ready(): Promise<void>;
  stop(): Promise<Ending>;
}

/** The command line of a program behind its launcher, under the permissions of its flags; another implementation as it is. */
export async function launcherOf(role: "server" | "agent"): Promise<readonly string[]> {
  const other = foreign(role);
  if (other !== undefined) return other.split(" ");
  return [`${await builtProject()}/bin/proxy-${role}`];
}

/** The command line of a program, before its flags; ours may do everything. */
export async function commandOf(role: "server" | "agent"): Promise<readonly string[]> {
  const other = foreign(role);
  if (other !== undefined) return other.split(" ");
  const bundle = `${await builtProject()}/dist/konnectivity.js`;
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-config", engineFlags, bundle, role];
}

/** Whether another implementation stands in for ours. */
export function isForeign(role: "server" | "agent"): boolean {
  return foreign(role) !== undefined;
}

function foreign(role: "server" | "agent"): string | undefined {
  return Deno.env.get(`KONNECTIVITY_${role.toUpperCase()}_COMMAND`) || undefined;
}

/**
 * Starts a proxy-server and waits until it answers /healthz. Agent, health and admin port are chosen where the flags do
 * not give them; all three are bound on 127.0.0.1.
 */
export async function startServer(
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
  command?: readonly string[],
): Promise<ServerProcess> {
  const { program, ports } = await startListening("server", command ?? await commandOf("server"), flags, env, {
    "--agent-port": "--agent-bind-address",
    "--health-port": "--health-bind-address",
    "--admin-port": "--admin-bind-address",
  });
  const healthPort = portOf(ports, "--health-port");
  return {
    program,
    agentPort: portOf(ports, "--agent-port"),
    healthPort,
    adminPort: portOf(ports, "--admin-port"),
    ready: () => healthy(program, healthPort, "/readyz"),
    stop: () => program.stop(),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/**
 * Starts a proxy-agent and waits until it answers /healthz. Health and admin port are chosen where the flags do not
 * give them; both are bound on 127.0.0.1.
 */
export async function startAgent(
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
  command?: readonly string[],
): Promise<AgentProcess> {
  const { program, ports } = await startListening("agent", command ?? await commandOf("agent"), flags, env, {
    "--health-server-port": "--health-server-host",
    "--admin-server-port": "--admin-bind-address",
  });
  const healthPort = portOf(ports, "--health-server-port");
  // The original's agent drains for ever after the first signal.
  const again = isForeign("agent") ? 100 : undefined;
  return {
    program,
    healthPort,
    adminPort: portOf(ports, "--admin-server-port"),
    ready: () => healthy(program, healthPort, "/readyz"),
    stop: () => program.stop(again),
    [Symbol.asyncDispose]: () => {
      if (program.status === undefined) void program.stop(again);
      return program[Symbol.asyncDispose]();
    },
  };
}

/** Starts a program that cannot take port 0; when somebody else took a chosen port meanwhile, others are chosen. */
async function startListening(
  role: "server" | "agent",
  command: readonly string[],
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
  listeners: Readonly<Record<string, string>>,
): Promise<{ program: Program; ports: ReadonlyMap<string, number> }> {
  for (let attempt = 1;; attempt++) {
    const ports = new Map<string, number>();
    const chosen: string[] = [];
    for (const [portFlag, hostFlag] of Object.entries(listeners)) {
      const given = valueOf(flags, portFlag);
      const port = given === undefined ? await freePort() : Number(given);
      ports.set(portFlag, port);
      if (given === undefined) chosen.push(`${portFlag}=${port}`);
      if (valueOf(flags, hostFlag) === undefined) chosen.push(`${hostFlag}=127.0.0.1`);
    }
    const program = new Program(role, [...command, ...flags, ...chosen], env);
    const healthPort = ports.get("--health-port") ?? portOf(ports, "--health-server-port");
    try {
      await healthy(program, healthPort, "/healthz");
      return { program, ports };
    } catch (error) {
      if (program.status === undefined) program.signal("SIGKILL");
      await program.ended;
      const taken = /EADDRINUSE|address already in use/i.test(program.log);
      if (!taken || attempt === startAttempts) throw error;
    }
  }
}

function portOf(ports: ReadonlyMap<string, number>, flag: string): number {
  const port = ports.get(flag);
  if (port === undefined) throw new Error(`no port for ${flag}`);
  return port;
}

function valueOf(flags: readonly string[], name: string): string | undefined {
  return flags.findLast((flag) => flag.startsWith(`${name}=`))?.slice(name.length + 1);
}

async function healthy(program: Program, port: number, path: string): Promise<void> {
  try {
    await until(`${program.name} answers ${path}`, async () => {
      if (program.status !== undefined) throw new Error(`${program.name} ended with code ${program.status.code}`);
      // It would serve on without it, and somebody else may answer there.
      if (program.log.includes(" port: cannot listen on ")) throw new Error(`${program.name} lacks a port`);
      return (await httpGet(port, path)).status === 200;
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${program.tail()}`, { cause: error });
  }
}

/**
 * One GET to 127.0.0.1 over a connection that is closed afterwards, which `fetch` would keep.
 * @returns status 0 when nothing answers
 */
export function httpGet(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path, agent: false, headers: { connection: "close" } });
    request.on("error", () => resolve({ status: 0, body: "" }));
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => body += text);
      response.on("error", () => resolve({ status: 0, body }));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}
