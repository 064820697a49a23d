import assert from "node:assert/strict";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Printer } from "../../src/programs/terminal.ts";
import { makeCertificateTree } from "../../src/programs/certs/certificate_tree.ts";
import { runDemo } from "../../src/programs/demo/run_demo.ts";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import { type RoleCommand, sandboxedCommand } from "../../src/programs/demo/sandboxed_command.ts";
import type { Role } from "../../src/programs/permissions/permissions_command.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/** The demo as somebody runs it who has cloned the project. */
export const fromSource = [
  "run",
  "-A",
  "--quiet",
  engineFlags,
  fileURLToPath(new URL("../../main.ts", import.meta.url)),
];
/** How long the demo may take on a machine that is busy. */
export const patienceMs = 120_000;
const titles = [
  "gRPC, mutual TLS",
  "gRPC, Unix socket",
  "HTTP CONNECT, mutual TLS",
  "HTTP CONNECT, Unix socket",
];

/** Made once for all tests: RSA keys take their time. */
let tree: Promise<string> | undefined;

function sharedTree(): Promise<string> {
  tree ??= (async () => {
    const dir = await Deno.makeTempDir({ prefix: "konnectivity-demo-certs-" });
    await makeCertificateTree({ dir, serverIp: "127.0.0.1", force: false });
    return dir;
  })();
  return tree;
}

Deno.test.afterAll(async () => {
  if (tree !== undefined) await Deno.remove(await tree, { recursive: true });
});

/** A folder of certificates whose path is in the command line of every process of its demo. */
export async function withCertificates(body: (certs: string) => Promise<void>): Promise<void> {
  const certs = await Deno.makeTempDir({ prefix: "konnectivity-demo-test-" });
  try {
    await new Deno.Command("cp", { args: ["-R", `${await sharedTree()}/.`, certs] }).output();
    await body(certs);
    assert.deepEqual(await processesWith(certs), []);
  } finally {
    await Deno.remove(certs, { recursive: true });
  }
}

async function bundle(): Promise<string> {
  return `${await builtProject()}/dist/konnectivity.js`;
}

/** The demo as somebody runs it who has built the project. */
export async function fromBundle(): Promise<readonly string[]> {
  return ["run", "-A", "--quiet", "--no-config", engineFlags, await bundle()];
}

/** A demo beside a proxy that is not there, which has no part in what goes on within this machine. */
export function startDemo(run: readonly string[], ...flags: readonly string[]): Program {
  return new Program("demo", [Deno.execPath(), ...run, "demo", ...flags], { HTTP_PROXY: "http://127.0.0.1:1" });
}

export function assertTable(output: string): void {
  for (const title of titles) {
    assert.match(output, new RegExp(`^${title} .* 127\\.0\\.0\\.1:\\d+/success +200 +\\d+$`, "m"));
  }
}

/** Runs the demo in this process, with another command for one role. */
export async function brokenDemo(certs: string, broken: Role, command: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const printer: Printer = { out: () => {}, err: (line) => lines.push(line) };
  const entry = pathToFileURL(await bundle()).href;
  const ours = sandboxedCommand(entry);
  const commands: RoleCommand = async (role, flags) =>
    role === broken ? [...command, ...flags] : await ours(role, flags);
  const code = await runDemo({ certs, keep: false }, printer, entry, commands);
  assert.equal(code, 1);
  return lines.join("\n");
}

/** A demo one of whose programs fails names it and shows the end of its log. */
export async function namesFailed(role: Role, message: RegExp): Promise<void> {
  await withCertificates(async (certs) => {
    const script = `console.error("first words"); console.log("last words"); Deno.exit(3);`;
    const told = await brokenDemo(certs, role, [Deno.execPath(), "eval", script]);
    assert.match(told, message);
    assert.match(told, /^ {2}last words$/m);
    const log = /^its log is (\S+), the last lines are:$/m.exec(told)?.[1] ?? "";
    assert.match(await Deno.readTextFile(log), /first words/);
    await Deno.remove(log.replace(/\/[^/]+$/, ""), { recursive: true });
  });
}

/** A signal ends a demo that is starting, and its processes. */
export async function endsStarting(signal: Deno.Signal, code: number): Promise<void> {
  await withCertificates(async (certs) => {
    const demo = startDemo(await fromBundle(), `--certs=${certs}`);
    await until("a proxy-server runs", async () => (await processesWith(`${certs}/frontend`)).length > 0, patienceMs);
    demo.signal(signal);
    assert.equal((await demo.ended).code, code, demo.log);
    await demo.stop();
  });
}
