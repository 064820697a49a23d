import { fileURLToPath } from "node:url";
import { NetworkNamespace } from "../support/processes/network_namespace.ts";
import { controlPlaneIp, nodeIp } from "./field_case.ts";

/** One of a lane's two machines, as far as it is a network. */
export type Machine = "server" | "agent";

const relayMain = fileURLToPath(new URL("relay_main.ts", import.meta.url));

/** Leads into and out of one network. */
class Relays implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  readonly #reading: Promise<void>;
  #last = 0;

  constructor(network: NetworkNamespace) {
    const [command = "", ...args] = network.command(
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      "--no-config",
      "--no-check",
      relayMain,
    );
    this.#child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  async open(listen: string, to: string): Promise<void> {
    const id = ++this.#last;
    const answered = Promise.withResolvers<void>();
    this.#waiting.set(id, answered);
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ id, listen, to })}\n`));
    await answered.promise;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, id = "", why = ""] = /^(\d+) ?(.*)$/.exec(line) ?? [];
        const answered = this.#waiting.get(Number(id));
        if (why === "") answered?.resolve();
        else answered?.reject(new Error(why));
      }
    }
    for (const answered of this.#waiting.values()) answered.reject(new Error("the relays have ended"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
    await this.#reading;
  }
}

/**
 * Two machines with networks of their own and a cable between them, so that programs have the very ports and addresses of
 * their manifests, however many of them run on this machine. Cases run in a lane one after another.
 */
export class Lane implements AsyncDisposable {
  readonly #folder: string;
  readonly #owned: AsyncDisposableStack;
  readonly #networks: Readonly<Record<Machine, NetworkNamespace>>;
  readonly #relays: Readonly<Record<Machine, Relays>>;
  /** Paths by what they lead to: a lane keeps what it has opened. */
  readonly #opened = new Map<string, Promise<string>>();

  private constructor(
    folder: string,
    owned: AsyncDisposableStack,
    networks: Readonly<Record<Machine, NetworkNamespace>>,
    relays: Readonly<Record<Machine, Relays>>,
  ) {
    this.#folder = folder;
    this.#owned = owned;
    this.#networks = networks;
    this.#relays = relays;
  }

  /** @param folder of the lane alone; paths in it are short enough for sockets */
  static async open(folder: string): Promise<Lane> {
    await using undo = new AsyncDisposableStack();
    const server = undo.use(await NetworkNamespace.open());
    const agent = undo.use(await NetworkNamespace.open());
    const cable = await server.run(
      "sh",
      "-ec",
      `ip link add eth0 type veth peer name eth0 netns ${agent.pid}
       ip addr add ${controlPlaneIp}/24 dev eth0
       ip link set eth0 up
       nsenter --net=/proc/${agent.pid}/ns/net sh -ec 'ip addr add ${nodeIp}/24 dev eth0; ip link set eth0 up'`,
    );
    if (!cable.ok) throw new Error(`no cable between two networks: ${cable.text}`);
    const relays = { server: undo.use(new Relays(server)), agent: undo.use(new Relays(agent)) };
    return new Lane(folder, undo.move(), { server, agent }, relays);
  }

  /** Words before a command line that have it run on a machine. */
  inside(machine: Machine): string[] {
    return this.#networks[machine].command();
  }

  /** A path of a socket that leads to a port of a machine. */
  into(machine: Machine, to: string): Promise<string> {
    return this.#once(`into ${machine} ${to}`, async () => {
      const path = `${this.#folder}/${this.#opened.size}`;
      await this.#relays[machine].open(path, to);
      return path;
    });
  }

  /** Has a port of a machine lead to a socket of this one, or to another port of the machine. */
  async outOf(machine: Machine, listen: string, to: string): Promise<void> {
    await this.#once(`out of ${machine} ${listen} to ${to}`, async () => {
      await this.#relays[machine].open(listen, to);
      return listen;
    });
  }

  #once(what: string, open: () => Promise<string>): Promise<string> {
    const known = this.#opened.get(what);
    if (known !== undefined) return known;
    const opening = open();
    this.#opened.set(what, opening);
    return opening;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
