import { until } from "../assert/until.ts";

/**
 * A network of its own, with a loopback device and nothing else: a place to set what concerns all of a machine, and to run
 * programs in. Needs root and Linux; a test that cannot have one fails.
 */
export class NetworkNamespace implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;

  private constructor(holder: Deno.ChildProcess) {
    this.#holder = holder;
  }

  /** @param setup commands of the shell, run in it */
  static async open(setup: string = ""): Promise<NetworkNamespace> {
    // The process that holds it ends with its standard input, so that nothing is left of a test that is killed.
    const holder = new Deno.Command("unshare", {
      args: ["--net", "sh", "-c", `set -e; ip link set lo up; ${setup}\necho ready; exec cat`],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (new TextDecoder().decode(value).startsWith("ready")) {
      await holder.stderr.cancel();
      return new NetworkNamespace(holder);
    }
    const why = await new Response(holder.stderr).text();
    await holder.stdin.close().catch(() => {});
    await holder.status;
    throw new Error(`no network namespace: this test needs root, unshare and ip (Debian's iproute2): ${why}`);
  }

  get pid(): number {
    return this.#holder.pid;
  }

  /** A command line that runs another one in it. */
  command(...command: string[]): string[] {
    return ["nsenter", `--net=/proc/${this.pid}/ns/net`, ...command];
  }

  /** Runs a command in it. @returns its output, and whether it succeeded */
  async run(...command: string[]): Promise<{ readonly ok: boolean; readonly text: string }> {
    const [program = "", ...args] = this.command(...command);
    const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
    return { ok: success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  }

  /** Waits until a port of it accepts a connection. @param host an address */
  async accepts(host: string, port: number): Promise<void> {
    await until(`${host} ${port} accepts`, async () => {
      return (await this.run("bash", "-c", `exec 3<>/dev/tcp/${host}/${port}`)).ok;
    }, 60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.status;
  }
}
