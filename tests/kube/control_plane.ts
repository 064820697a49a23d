import assert from "node:assert/strict";
import { Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/**
 * Runs in a mount namespace of its own: /etc is a copy, in which there is a folder for Kubernetes; /run is empty but for a
 * place for the secrets of pods. $1 is a folder for the copy.
 */
const furnish = `set -e
mount -t tmpfs tmpfs "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
mkdir -p /etc/kubernetes/pki /etc/kubernetes/manifests
echo "$2" >>/etc/hosts
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets
[ "$(readlink -f /var/run)" = /run ]
echo furnished
exec sleep 86400
`;

/** Runs where a pod's secrets, $1, are its own. */
const enterPod = `set -e
mount --bind "$1" /run/secrets
shift
exec "$@"
`;

/**
 * A control-plane node, as far as it is files: with an /etc/kubernetes of its own, and names that lead to 127.0.0.1. What
 * runs on it otherwise shares this machine.
 */
export class ControlPlane implements AsyncDisposable {
  readonly #holder: Program;
  readonly #dir: string;
  #pods = 0;

  private constructor(dir: string, holder: Program) {
    this.#dir = dir;
    this.#holder = holder;
  }

  /** @param hosts names, and the loopback address that each leads to */
  static async open(hosts: Readonly<Record<string, string>>): Promise<ControlPlane> {
    const dir = await Deno.makeTempDir({ prefix: "control-plane-" });
    await Deno.mkdir(`${dir}/etc`);
    const lines = Object.entries(hosts).map(([name, address]) => `${address} ${name}`).join("\n");
    const command = ["unshare", "--mount", "sh", "-c", furnish, "furnish", `${dir}/etc`, lines];
    const node = new ControlPlane(dir, new Program("the control-plane node", command));
    try {
      await until("the node is furnished", () => {
        if (node.#holder.status !== undefined) throw new Error(node.#holder.tail());
        return node.#holder.log.includes("furnished");
      });
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Words before a command line that have it run on the node. */
  get inside(): readonly string[] {
    return ["nsenter", `--mount=/proc/${this.#holder.pid}/ns/mnt`];
  }

  /** Words before a command line that have it run in a pod on the node. @param secrets what is in /var/run/secrets */
  async pod(secrets: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const dir = `${this.#dir}/pod-${++this.#pods}`;
    await Deno.mkdir(dir);
    for (const [path, text] of Object.entries(secrets)) {
      await Deno.mkdir(`${dir}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${dir}/${path}`, text);
    }
    return [...this.inside, "unshare", "--mount", "sh", "-c", enterPod, "pod", dir];
  }

  /** Runs a shell's command line on the node. @returns what it printed, on both outputs in `told` */
  async shell(
    line: string,
    folder: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number; stdout: string; told: string }> {
    const [program = "", ...args] = [...this.inside, "sh", "-c", `cd "$0" && ${line}`, folder];
    const output = await new Deno.Command(program, { args, env: { NO_COLOR: "1", ...env }, stdin: "null" }).output();
    const [stdout = "", stderr = ""] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code: output.code, stdout, told: `${stdout}${stderr}` };
  }

  async write(path: string, text: string): Promise<void> {
    const temporary = await Deno.makeTempFile({ dir: this.#dir });
    await Deno.writeTextFile(temporary, text, { mode: 0o600 });
    const { code, told } = await this.shell(`mkdir -p "$(dirname ${path})" && cp ${temporary} ${path}`, "/");
    assert.equal(code, 0, told);
  }

  async read(path: string): Promise<string> {
    const { code, stdout, told } = await this.shell(`cat ${path}`, "/");
    assert.equal(code, 0, told);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.signal("SIGKILL");
    await this.#holder.ended;
    await Deno.remove(this.#dir, { recursive: true });
  }
}
