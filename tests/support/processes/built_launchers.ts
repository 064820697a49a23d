import assert from "node:assert/strict";
import { builtProject } from "./built_project.ts";
import { httpGet, Program } from "./processes.ts";
import { until } from "../assert/until.ts";

/** Copied once, into a folder of its own: what all tests share stays as it is. */
let copying: Promise<string> | undefined;

/** @returns the folder, with a space in its name */
export function built(): Promise<string> {
  copying ??= (async () => {
    const folder = `${await Deno.makeTempDir({ prefix: "konnectivity-build-" })}/a folder`;
    const { success } = await new Deno.Command("cp", { args: ["-R", await builtProject(), folder] }).output();
    assert.ok(success);
    return folder;
  })();
  return copying;
}

/** Removes what was built. */
export async function removeBuilt(): Promise<void> {
  if (copying === undefined) return;
  const folder = await copying;
  await Deno.remove(folder.replace(/\/a folder$/, ""), { recursive: true });
}

/** How a command ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const [program = "", ...args] = command;
  const output = await new Deno.Command(program, { args, env: { NO_COLOR: "1", ...env }, stdin: "null" }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

/** Starts a launcher and waits until its test server answers. */
export async function serve(launcher: string, port: number, ...flags: string[]): Promise<Program> {
  const program = new Program("http-test-server", [launcher, `--server-port=${port}`, ...flags]);
  await until("it answers", async () => {
    assert.equal(program.status, undefined, program.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  return program;
}
