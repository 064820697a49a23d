import assert from "node:assert/strict";
import { binaries, root } from "../../tools/binaries.ts";
import { writeStubShape } from "../support/processes/compiled_program.ts";

interface Outcome {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const [program = "", ...args] = command;
  const options = { args, env: { NO_COLOR: "1", ...env }, stdin: "null" } as const;
  const { code, signal, stdout, stderr } = await new Deno.Command(program, options).output();
  return { code, signal, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Runs `deno task compile` on a folder, with a stub, or with the one that deno finds for itself. */
export async function compileInto(folder: string, stub?: string): Promise<Outcome> {
  const command = [Deno.execPath(), "run", "-A", "-q", `${root}/tools/compile.ts`, folder];
  return await run(command, stub === undefined ? {} : { DENORT_BIN: stub });
}

/** A folder that is gone at the end. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "konnectivity-compile-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const ownFolder = await temporaryFolder();
Deno.test.afterAll(async () => await ownFolder[Symbol.asyncDispose]());

/** Compiled once, around what has the form of the stub. */
let compiling: Promise<string> | undefined;

/** @returns the folder, with a space in its name */
export function compiled(): Promise<string> {
  compiling ??= (async () => {
    const folder = `${ownFolder.path}/a folder`;
    await Deno.mkdir(folder);
    await writeStubShape(`${folder}/stub`);
    const { code, stdout, stderr } = await compileInto(folder, `${folder}/stub`);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.equal(stdout, binaries.map(({ name }) => `bin/${name}\n`).join(""));
    return folder;
  })();
  return compiling;
}

export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
}
