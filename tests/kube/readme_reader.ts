import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { shellCommands } from "../support/processes/readme_commands.ts";
import type { ControlPlane } from "./control_plane.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What is done about a command of a document. */
export interface Following {
  /** What the reader, or the cluster, does before. */
  before?(): Promise<void>;
  /** Runs it until it ends well. Where it may fail at first: until it prints something that matches. */
  readonly prints?: RegExp;
  after?(stdout: string): Promise<void>;
}

/** A command that is not run, and why. */
export interface NotRun {
  readonly why: string;
}

/** How long a command may be repeated that tells what comes by itself. */
const patienceMs = 60_000;

/** Somebody who follows a document of the examples command by command, in a copy of the project, on a control-plane node. */
export class Reader implements AsyncDisposable {
  /** The copy. */
  readonly folder: string;
  readonly #node: ControlPlane;
  readonly #env: Readonly<Record<string, string>>;
  readonly #t: Deno.TestContext;

  private constructor(t: Deno.TestContext, node: ControlPlane, folder: string, env: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#t = t;
    this.#node = node;
    this.#env = env;
  }

  /** @param env variables of the reader's shell; what is in the folder `bin` of the copy is found first */
  static async open(t: Deno.TestContext, node: ControlPlane, env: Readonly<Record<string, string>>): Promise<Reader> {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-readme-" });
    const parts = ["README.md", "Containerfile", "deno.json", "examples", "charts"].map((part) => root + part);
    const { success } = await new Deno.Command("cp", { args: ["-R", ...parts, folder] }).output();
    assert.ok(success);
    await Deno.remove(`${folder}/examples/kind-multinode/rendered`, { recursive: true }).catch(() => {});
    await Deno.mkdir(`${folder}/bin`);
    const path = `${folder}/bin:${Deno.env.get("PATH") ?? ""}`;
    return new Reader(t, node, folder, { HOME: folder, PATH: path, ...env });
  }

  /** Puts a program on the reader's path. */
  async install(name: string, script: string): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/bin/${name}`, script, { mode: 0o755 });
  }

  /**
   * Follows a document: each command is a step that passes, or one that is skipped with the reason in its title.
   * @param what for each command, in their order, what is done about it: every command has to be thought of
   */
  async follow(document: string, what: readonly (readonly [command: string, Following | NotRun])[]): Promise<void> {
    const commands = shellCommands(await Deno.readTextFile(`${this.folder}/${document}`));
    assert.deepEqual(commands, what.map(([command]) => command));
    let folder = this.folder;
    for (const [command, following] of what) {
      const shown = command.length > 100 ? `${command.slice(0, 100)}…` : command;
      if ("why" in following) {
        await this.#t.step({ name: `not run, ${following.why}: ${shown}`, ignore: true, fn: () => {} });
        continue;
      }
      const [, into] = /^cd (\S+)$/.exec(command) ?? [];
      if (into !== undefined) folder += `/${into}`;
      else assert.ok(await this.#t.step(shown, () => this.#run(command, folder, following)), `${shown}: failed`);
    }
  }

  async #run(command: string, folder: string, { before, prints, after }: Following): Promise<void> {
    await before?.();
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const { code, stdout, told } = await this.#node.shell(command, folder, this.#env);
      if (prints === undefined || prints.test(stdout) || performance.now() > deadline) {
        assert.equal(code, 0, told);
        if (prints !== undefined) assert.match(stdout, prints);
        await after?.(stdout);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
