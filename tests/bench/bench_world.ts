import { fileURLToPath } from "node:url";
import { type FarRelay, startFarRelay } from "../support/fakes/far_relay.ts";
import { freePort } from "../support/processes/free_port.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";
import type { BenchDestinations } from "./bench_destinations.ts";
import { type Assignment, type Figure, type Job, readyLine } from "./load.ts";
import type { Frontend } from "./load_connection.ts";
import { rssBytes } from "./process_figures.ts";

/** What a proxy is reached by. */
export const benchModes = ["grpc-uds", "grpc-mtls", "http-uds", "http-mtls"] as const;
export type BenchMode = typeof benchModes[number];

/** A server and an agent to measure: command lines, to which the original's flags are added. */
export interface Implementation {
  readonly name: string;
  readonly server: readonly string[];
  readonly agent: readonly string[];
}

/** Where a server listens, beside its frontend. */
export interface ServerPorts {
  readonly agents: number;
  readonly admin: number;
  readonly health: number;
}

/** What a world is to be beyond a server and its agents. */
export interface WorldOptions {
  /** Distance between agents and server: the time that each byte takes, each way; absent or 0: they are connected directly. */
  readonly delayMs?: number;
  readonly serverFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
}

/** What every world of a run uses. */
export interface BenchPlace {
  /** For sockets. */
  readonly folder: string;
  readonly certificates: TestCertificateFiles;
}

const startAttempts = 3;
/** How long a program may take to be ready. */
const startLimitMs = 30_000;
/** How often a program that starts is asked whether it is ready. */
const pollMs = 5;
const settleMs = 500;
const mebibyte = 1024 * 1024;

/** Starts what is tunnelled to. Disposing of it ends it. */
export async function startBenchDestinations(): Promise<{ readonly at: BenchDestinations } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(new URL("bench_destinations.ts", import.meta.url))],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const at: BenchDestinations = JSON.parse(new TextDecoder().decode(value));
  return {
    at,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** A server and its agents, as processes. Disposing of it kills them. */
export class BenchWorld implements AsyncDisposable {
  readonly frontend: Frontend;
  /** What starting them took, and what they hold before there is any load. */
  readonly startFigures: Figure[] = [];
  readonly #programs: Program[] = [];
  #serverCommand: readonly string[] = [];
  #ports: ServerPorts = { agents: 0, admin: 0, health: 0 };
  /** Each agent with its health port. */
  readonly #agentHealth: (readonly [agent: Program, health: number])[] = [];
  /** What agents reach the server by; absent: nothing lies between. */
  #line: FarRelay | undefined;

  private constructor(frontend: Frontend) {
    this.frontend = frontend;
  }

  /** Starts one; when somebody else took a chosen port meanwhile, others are chosen. */
  static async start(
    implementation: Implementation,
    mode: BenchMode,
    place: BenchPlace,
    agents: number = 1,
    options: WorldOptions = {},
  ): Promise<BenchWorld> {
    for (let attempt = 1;; attempt++) {
      try {
        return await BenchWorld.#startOnce(implementation, mode, place, agents, options);
      } catch (error) {
        const taken = error instanceof Error && /EADDRINUSE|address already in use/i.test(error.message);
        if (!taken || attempt === startAttempts) throw error;
      }
    }
  }

  static async #startOnce(
    implementation: Implementation,
    mode: BenchMode,
    place: BenchPlace,
    agents: number,
    options: WorldOptions,
  ): Promise<BenchWorld> {
    const { certificates, folder } = place;
    const overTls = mode.endsWith("-mtls");
    const world = new BenchWorld({
      protocol: mode.startsWith("grpc") ? "grpc" : "http",
      uds: overTls ? "" : `${folder}/${crypto.randomUUID().slice(0, 8)}.sock`,
      port: overTls ? await freePort() : 0,
      certificates,
    });
    try {
      await world.#start(implementation, agents, options);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where the server listens. */
  get ports(): ServerPorts {
    return this.#ports;
  }

  get server(): Program {
    const [server] = this.#programs;
    if (server === undefined) throw new Error("the server was not started");
    return server;
  }

  /** Kills the server. */
  async killServer(): Promise<void> {
    const { server } = this;
    server.signal("SIGKILL");
    await server.ended;
  }

  /** Starts a server in the place of the one that was killed, on the same ports. */
  async startServerAgain(): Promise<void> {
    const server = new Program("server", this.#serverCommand);
    this.#programs[0] = server;
    await answering(server, this.#ports.health, "/healthz");
  }

  /** Waits until each agent has a server: after a restart of that it looks for it with growing pauses. */
  async agentsReady(): Promise<void> {
    for (const [agent, health] of this.#agentHealth) await answering(agent, health, "/readyz", this.server);
  }

  /**
   * Has a process of its own do a job.
   * @param during what happens beside a job that waits for an end; it begins once the job has said that it is ready
   * @throws with its reason when it fails, or takes longer than the limit
   */
  async load(
    destinations: BenchDestinations,
    job: Job,
    limitMs: number,
    during?: () => Promise<void>,
  ): Promise<Figure[]> {
    const [server, ...agents] = this.#programs.map(({ pid }) => pid);
    const assignment: Assignment = {
      frontend: this.frontend,
      destinations,
      serverPid: server ?? 0,
      agentPids: agents,
      job,
    };
    const load = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        fileURLToPath(new URL("load.ts", import.meta.url)),
        JSON.stringify(assignment),
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      load.kill("SIGKILL");
    }, limitMs);
    const stderr = new Response(load.stderr).text();
    const ready = Promise.withResolvers<void>();
    const stdout = linesOf(load.stdout, (line) => line === readyLine && ready.resolve());
    try {
      // One that ends before it is ready has failed.
      await Promise.race([during === undefined ? undefined : ready.promise.then(during), load.status]);
    } catch (error) {
      load.kill("SIGKILL");
      throw error;
    } finally {
      await load.stdin.close().catch(() => {});
      await load.status;
      clearTimeout(timer);
    }
    const [{ success }, lines, reason] = await Promise.all([load.status, stdout, stderr]);
    if (late) throw new Error(`nothing came of it in ${limitMs / 1000} s`);
    if (!success) throw new Error(reason.trim());
    return JSON.parse(lines.at(-1) ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) program.signal("SIGKILL");
    for (const program of this.#programs) {
      await program.ended;
      await program.stop();
    }
    await this.#line?.[Symbol.asyncDispose]();
    if (this.frontend.uds !== "") await Deno.remove(this.frontend.uds).catch(() => {});
  }

  async #start(implementation: Implementation, agents: number, options: WorldOptions): Promise<void> {
    const { delayMs = 0, serverFlags = [], agentFlags = [] } = options;
    const { certificates: { caCert, serverCert, serverKey, clientCert, clientKey }, protocol, uds, port } =
      this.frontend;
    const ports = { agents: await freePort(), admin: await freePort(), health: await freePort() };
    this.#ports = ports;
    this.#serverCommand = [
      ...implementation.server,
      ...(protocol === "http" ? ["--mode=http-connect"] : []),
      ...(uds === ""
        ? [`--server-ca-cert=${caCert}`, `--server-cert=${serverCert}`, `--server-key=${serverKey}`]
        : [`--uds-name=${uds}`]),
      `--server-port=${port}`,
      `--cluster-ca-cert=${caCert}`,
      `--cluster-cert=${serverCert}`,
      `--cluster-key=${serverKey}`,
      `--agent-port=${ports.agents}`,
      `--admin-port=${ports.admin}`,
      `--health-port=${ports.health}`,
      ...serverFlags,
    ];
    const server = await this.#startProgram("server", this.#serverCommand, ports.health);
    if (delayMs > 0) this.#line = await startFarRelay(ports.agents, delayMs);
    const started: Program[] = [];
    for (let at = 0; at < agents; at++) {
      const health = await freePort();
      started.push(
        await this.#startProgram("agent", [
          ...implementation.agent,
          `--ca-cert=${caCert}`,
          `--agent-cert=${clientCert}`,
          `--agent-key=${clientKey}`,
          "--proxy-server-host=127.0.0.1",
          `--proxy-server-port=${this.#line?.port ?? ports.agents}`,
          `--admin-server-port=${await freePort()}`,
          `--health-server-port=${health}`,
          ...agentFlags,
        ], health),
      );
      this.#agentHealth.push([started.at(-1) ?? server, health]);
    }
    await this.agentsReady();
    await answering(server, ports.health, "/readyz");
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const [agent] = started;
    this.startFigures.push({ name: "server RSS", unit: "MiB", value: rssBytes(server.pid) / mebibyte });
    if (agent !== undefined) {
      this.startFigures.push({ name: "agent RSS", unit: "MiB", value: rssBytes(agent.pid) / mebibyte });
    }
  }

  async #startProgram(role: string, command: readonly string[], healthPort: number): Promise<Program> {
    const from = performance.now();
    const program = new Program(role, command);
    this.#programs.push(program);
    await answering(program, healthPort, "/healthz");
    if (!this.startFigures.some(({ name }) => name === `${role} start`)) {
      this.startFigures.push({ name: `${role} start`, unit: "ms", value: performance.now() - from });
    }
    return program;
  }
}

/** Reads lines until their stream ends. */
async function linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<string[]> {
  const lines: string[] = [];
  let held = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (held + text).split("\n");
    held = parts.pop() ?? "";
    for (const line of parts) {
      lines.push(line);
      onLine(line);
    }
  }
  return lines;
}

/**
 * Waits until a program says that it is well.
 * @param needed what it needs for that; its end says more than what follows from it, as when somebody took its port
 */
async function answering(program: Program, port: number, path: string, needed?: Program): Promise<void> {
  const deadline = performance.now() + startLimitMs;
  while ((await httpGet(port, path)).status !== 200) {
    if (needed?.status !== undefined) throw new Error(`${needed.name} has ended\n${needed.tail()}`);
    if (program.status !== undefined || performance.now() > deadline) {
      throw new Error(`${program.name} does not answer ${path}\n${program.tail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
