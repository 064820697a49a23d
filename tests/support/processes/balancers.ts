import { connect } from "node:net";
import { until } from "../assert/until.ts";
import { processesOfGroup } from "./process_list.ts";
import { Program } from "./processes.ts";

/** The balancers of docs/balancers.md, by the headings of their configurations. */
export const balancerKinds = ["nginx, stream", "nginx, http", "HAProxy, tcp", "HAProxy, http"] as const;

export type BalancerKind = typeof balancerKinds[number];

/** Where a balancer is put, in place of what the document has. */
export interface BalancerPlace {
  /** A folder of its own, for its configuration and its files. */
  readonly folder: string;
  /** Holds `ca.crt`, `balancer.crt`, `balancer.key`, and both in `balancer.pem`. */
  readonly certificates: string;
  readonly port: number;
  /** The servers behind it, host:port for agents, and their health ports. */
  readonly servers: readonly { readonly address: string; readonly healthPort: number }[];
  /** The time-out for what is idle, as the balancers write it. */
  readonly idle: string;
}

const document = new URL("../../../docs/balancers.md", import.meta.url);
const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** Why balancers cannot be run here; undefined where they can. */
export async function whyNoBalancers(): Promise<string | undefined> {
  const missing: string[] = [];
  for (const [program, flag] of [["nginx", "-v"], ["haproxy", "-v"]] as const) {
    try {
      await new Deno.Command(program, { args: [flag], stdout: "null", stderr: "null" }).output();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      missing.push(program);
    }
  }
  await Deno.stat(streamModule).catch(() => missing.push("libnginx-mod-stream"));
  return missing.length === 0 ? undefined : `${missing.join(", ")} of Debian's packages missing`;
}

/** The configuration that the document has under a heading. @throws where there is not exactly one */
function documented(text: string, kind: BalancerKind): string {
  const [, chapter, ...more] = text.split(`\n## ${kind}\n`);
  const [, block, ...others] = /^```(?:nginx|haproxy)\n(.*?)^```$/ms.exec((chapter ?? "").split("\n## ")[0] ?? "") ??
    [];
  if (more.length > 0 || others.length > 0 || block === undefined) {
    throw new Error(`docs/balancers.md has no configuration of its own for ${kind}`);
  }
  return block;
}

/** The document's configuration, with nothing replaced but places, and the idle time-out by a shorter one. */
export function configurationOf(text: string, kind: BalancerKind, place: BalancerPlace): string {
  const nginx = kind.startsWith("nginx");
  const listen = `127.0.0.1:${place.port}`;
  const replacements: [string, string][] = [
    nginx ? ["listen 8091", `listen ${listen}`] : ["bind :8091", `bind ${listen}`],
    ["60s", place.idle],
  ];
  for (const [at, { address }] of place.servers.entries()) replacements.push([`10.0.0.1${at + 1}:8091`, address]);
  if (kind === "nginx, http") replacements.push(["/var/log/nginx/", `${place.folder}/`]);
  if (kind.endsWith("http")) replacements.push(["/etc/konnectivity/", `${place.certificates}/`]);
  let configuration = documented(text, kind);
  for (const [from, to] of replacements) {
    if (!configuration.includes(from)) throw new Error(`docs/balancers.md has no ${from} for ${kind}`);
    configuration = configuration.replaceAll(from, to);
  }
  // One health port a machine there, here one a server.
  for (const { address, healthPort } of place.servers) {
    const of = new RegExp(`^(.*${RegExp.escape(address)} check port )8092$`, "m");
    if (!nginx && !of.test(configuration)) throw new Error(`docs/balancers.md checks no ${address} for ${kind}`);
    configuration = configuration.replace(of, `$1${healthPort}`);
  }
  return configuration;
}

const groups = new Set<number>();

// A balancer's processes outlive its first one, which is all that is known of a program elsewhere.
addEventListener("unload", () => {
  for (const group of groups) killGroup(group);
});

function killGroup(group: number): void {
  try {
    Deno.kill(-group, "SIGKILL");
  } catch (error) {
    // They ended before.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A balancer, in a process group of its own. */
export class Balancer implements AsyncDisposable {
  readonly kind: BalancerKind;
  readonly port: number;
  readonly #command: readonly string[];
  #program: Program;

  private constructor(kind: BalancerKind, port: number, command: readonly string[]) {
    this.kind = kind;
    this.port = port;
    this.#command = command;
    this.#program = this.#launch();
  }

  /** Starts it with the document's configuration, and waits until it accepts connections. */
  static async start(kind: BalancerKind, place: BalancerPlace): Promise<Balancer> {
    const nginx = kind.startsWith("nginx");
    const file = `${place.folder}/balancer.conf`;
    await Deno.writeTextFile(file, configurationOf(await Deno.readTextFile(document), kind, place));
    const command = nginx
      ? ["nginx", "-c", file, "-g", `daemon off; pid ${place.folder}/balancer.pid; error_log stderr;`]
      : ["haproxy", "-W", "-f", file];
    const balancer = new Balancer(kind, place.port, command);
    await balancer.#accepts();
    return balancer;
  }

  get log(): string {
    return this.#program.tail();
  }

  /** The processes that carry its connections, which a reload replaces. */
  async workers(): Promise<number[]> {
    return (await processesOfGroup(this.#program.pid)).filter((pid) => pid !== this.#program.pid);
  }

  /** Lets it read its configuration again: new processes take new connections, the old ones keep what they have. */
  reload(): void {
    this.#program.signal(this.kind.startsWith("nginx") ? "SIGHUP" : "SIGUSR2");
  }

  /** Kills all its processes. */
  async kill(): Promise<void> {
    killGroup(this.#program.pid);
    await this.#program.ended;
    groups.delete(this.#program.pid);
    await this.#program.stop();
  }

  /** Starts it anew after {@link kill}. */
  async restart(): Promise<void> {
    this.#program = this.#launch();
    await this.#accepts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #launch(): Program {
    // setsid: its first process leads the group, under its own id.
    const program = new Program(this.kind, ["setsid", ...this.#command]);
    groups.add(program.pid);
    return program;
  }

  async #accepts(): Promise<void> {
    await until(`${this.kind} accepts connections`, () => {
      if (this.#program.status !== undefined) throw new Error(`it has ended\n${this.#program.tail()}`);
      return new Promise<boolean>((resolve) => {
        const socket = connect(this.port, "127.0.0.1");
        socket.on("error", () => resolve(false));
        socket.on("connect", () => {
          socket.destroy();
          resolve(true);
        });
      });
    });
  }
}
