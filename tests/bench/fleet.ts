import { fileURLToPath } from "node:url";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";

/** What agents connect with. */
export const linkKinds = ["direct", "grpc"] as const;
export type LinkKind = typeof linkKinds[number];

/** What a process of a fleet is to be. */
export interface FleetOrder {
  /** What the agents' ids begin with. */
  readonly name: string;
  readonly agents: number;
  readonly kind: LinkKind;
  /** The server's port for agents, on 127.0.0.1. */
  readonly port: number;
  readonly certificates: TestCertificateFiles;
}

/** What has become of a fleet's process. */
export interface FleetState {
  /** How many of the agents have a link. */
  readonly linked: "all" | "some" | "none";
  /** Links that were direct ones, so far. */
  readonly direct: number;
  /** Why the last attempt failed; empty where none did. */
  readonly failure: string;
}

/** What a fleet's process begins with. */
export const noneLinked: FleetState = { linked: "none", direct: 0, failure: "" };

/** What a fleet links to. */
export interface FleetTarget {
  /** The server's port for agents, on 127.0.0.1. */
  readonly port: number;
  readonly certificates: TestCertificateFiles;
}

/** Agents that one process has at most: more would all wait for its one thread. */
const agentsOfProcess = 2_500;
/** Descriptors of a process beside those of its links. */
const otherDescriptors = 100;
/** What a server keeps of its descriptors for other things than agents, at most, and which part of them. */
const keptDescriptors = 1_400;
const keptPart = 1 / 3;

/**
 * Why this machine cannot have so many agents and their server; undefined where it can. A link takes a descriptor at each
 * end, in two processes, and a port of those that the system gives to connections that go out, which it has given twice for
 * a moment where agents come back.
 * @param read the text of a file; throws where there is none
 */
export function fleetFault(agents: number, read: (path: string) => string = Deno.readTextFileSync): string | undefined {
  const limit = Number(
    /^Max open files\s+\d+\s+(\d+)/m.exec(attempt(() => read("/proc/self/limits")))?.[1] ?? Infinity,
  );
  const needed = agents + Math.ceil(Math.min(keptDescriptors, agents * keptPart)) + otherDescriptors;
  if (limit < needed) {
    return `${agents} agents need ${needed} file descriptors in the server's process, and the limit is ${limit}: ` +
      `raise it with ulimit -Hn ${needed}`;
  }
  const [first, last] = attempt(() => read("/proc/sys/net/ipv4/ip_local_port_range")).split(/\s+/).map(Number);
  const ports = first === undefined || last === undefined ? Infinity : last - first + 1;
  if (ports < 2 * agents) {
    return `${agents} agents on one address need ${2 * agents} ports, and the system gives ${ports}: ` +
      "widen net.ipv4.ip_local_port_range";
  }
  return undefined;
}

/** Another system than Linux does not say. */
function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Many agents in few processes. Disposing of it ends them. */
export class Fleet implements AsyncDisposable {
  readonly agents: number;
  readonly #processes: FleetProcess[];

  private constructor(agents: number, processes: FleetProcess[]) {
    this.agents = agents;
    this.#processes = processes;
  }

  /** Starts the processes, whose agents connect to nothing yet. */
  static async spawn(
    agents: number,
    kind: LinkKind,
    { port, certificates }: FleetTarget,
    limitMs: number,
  ): Promise<Fleet> {
    const count = Math.ceil(agents / agentsOfProcess);
    const processes = Array.from({ length: count }, (_, at) => {
      const share = Math.floor((agents + at) / count);
      return new FleetProcess({ name: `fleet-${at}`, agents: share, kind, port, certificates });
    });
    const fleet = new Fleet(agents, processes);
    try {
      await fleet.linked("none", limitMs);
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Has all agents connect. @throws when they have not all done it in time, with the reason of a failure */
  async link(limitMs: number): Promise<void> {
    for (const process of this.#processes) process.say("start");
    await this.linked("all", limitMs);
  }

  /** Drops all agents at once. */
  async drop(limitMs: number): Promise<void> {
    for (const process of this.#processes) process.say("stop");
    await this.linked("none", limitMs);
  }

  /** Waits until each agent has a link, or none has one. */
  async linked(which: "all" | "none", limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (const process of this.#processes) await process.reaches(which, deadline - performance.now());
  }

  /** How many links were direct ones. */
  get direct(): number {
    return this.#processes.reduce((sum, { state }) => sum + state.direct, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
  }
}

class FleetProcess implements AsyncDisposable {
  readonly #order: FleetOrder;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #state: FleetState | undefined;
  #ended = false;
  #onChange: (() => void) | undefined;

  constructor(order: FleetOrder) {
    this.#order = order;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--no-check",
        engineFlags,
        fileURLToPath(new URL("fleet_agents.ts", import.meta.url)),
        JSON.stringify(order),
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  get state(): FleetState {
    return this.#state ?? noneLinked;
  }

  say(order: "start" | "stop"): void {
    // A process that has ended says so in `reaches`.
    this.#input.write(new TextEncoder().encode(`${order}\n`)).catch(() => {});
  }

  async reaches(linked: "all" | "none", limitMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#onChange?.();
    }, limitMs);
    while (this.#state?.linked !== linked && !late && !this.#ended) {
      await new Promise<void>((resolve) => this.#onChange = resolve);
    }
    clearTimeout(timer);
    if (this.#state?.linked === linked) return;
    const { agents, name } = this.#order;
    const { failure } = this.state;
    if (this.#ended) throw new Error(`the process of ${name} has ended`);
    const what = linked === "all" ? "were not all linked" : "did not all lose their links";
    throw new Error(`the ${agents} agents of ${name} ${what} in time${failure === "" ? "" : `: ${failure}`}`);
  }

  async #read(): Promise<void> {
    let held = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (held + text).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) this.#state = JSON.parse(line);
      this.#onChange?.();
    }
    this.#ended = true;
    this.#onChange?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#reading;
    await this.#child.status;
  }
}
