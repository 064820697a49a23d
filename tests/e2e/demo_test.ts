import assert from "node:assert/strict";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Printer } from "../../src/programs/terminal.ts";
import { makeCertificateTree } from "../../src/programs/certs/certificate_tree.ts";
import { runDemo } from "../../src/programs/demo/run_demo.ts";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import { type RoleCommand, sandboxedCommand } from "../../src/programs/demo/sandboxed_command.ts";
import type { Role } from "../../src/programs/permissions/permissions_command.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/** The demo as somebody runs it who has cloned the project. */
const fromSource = ["run", "-A", "--quiet", engineFlags, fileURLToPath(new URL("../../main.ts", import.meta.url))];
/** How long the demo may take on a machine that is busy. */
const patienceMs = 120_000;
const titles = ["gRPC, mutual TLS", "gRPC, Unix socket", "HTTP CONNECT, mutual TLS", "HTTP CONNECT, Unix socket"];

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
async function withCertificates(body: (certs: string) => Promise<void>): Promise<void> {
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
async function fromBundle(): Promise<readonly string[]> {
  return ["run", "-A", "--quiet", "--no-config", engineFlags, await bundle()];
}

/** A demo beside a proxy that is not there, which has no part in what goes on within this machine. */
function startDemo(run: readonly string[], ...flags: readonly string[]): Program {
  return new Program("demo", [Deno.execPath(), ...run, "demo", ...flags], { HTTP_PROXY: "http://127.0.0.1:1" });
}

function assertTable(output: string): void {
  for (const title of titles) {
    assert.match(output, new RegExp(`^${title} .* 127\\.0\\.0\\.1:\\d+/success +200 +\\d+$`, "m"));
  }
}

leakTest("the demo makes certificates, passes a request through each frontend and leaves nothing behind", async () => {
  const parent = await Deno.makeTempDir({ prefix: "konnectivity-demo-test-" });
  try {
    const demo = startDemo(fromSource, `--certs=${parent}/new certs`);
    assert.equal((await demo.ended).code, 0, demo.log);
    await demo.stop();
    assert.match(demo.log, new RegExp(`^made certificates in ${parent}/new certs$`, "m"));
    assertTable(demo.log);
    assert.deepEqual(await processesWith(parent), []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

/** Runs the demo in this process, with another command for one role. */
async function brokenDemo(certs: string, broken: Role, command: readonly string[]): Promise<string> {
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

const breakages: readonly (readonly [Role, RegExp])[] = [
  ["test-server", /^Error: http-test-server ended with exit code 3 before it was seen to answer\n/],
  ["server", /^Error: proxy-server \([^)]+\) ended with exit code 3 before it was seen to answer\n/],
  ["agent", /^Error: proxy-agent \([^)]+\) ended with exit code 3 before it was seen to connect to its server\n/],
  ["test-client", /^Error: proxy-test-client \(gRPC, mutual TLS\) ended with exit code 3\n/],
];
for (const [role, message] of breakages) {
  leakTest(`a demo whose ${role} fails names it and shows the end of its log`, async () => {
    await withCertificates(async (certs) => {
      const script = `console.error("first words"); console.log("last words"); Deno.exit(3);`;
      const told = await brokenDemo(certs, role, [Deno.execPath(), "eval", script]);
      assert.match(told, message);
      assert.match(told, /^ {2}last words$/m);
      const log = /^its log is (\S+), the last lines are:$/m.exec(told)?.[1] ?? "";
      assert.match(await Deno.readTextFile(log), /first words/);
      await Deno.remove(log.replace(/\/[^/]+$/, ""), { recursive: true });
    });
  });
}

leakTest("a demo whose program cannot be started names it", async () => {
  await withCertificates(async (certs) => {
    const told = await brokenDemo(certs, "test-server", [`${certs}/no-such-program`]);
    assert.match(told, /^Error: http-test-server ended with exit code 127 before it was seen to answer\n/);
    assert.match(told, /no-such-program/);
    const log = /^its log is (\S+), /m.exec(told)?.[1] ?? "";
    await Deno.remove(log.replace(/\/[^/]+$/, ""), { recursive: true });
  });
});

leakTest("a demo with certificates that cannot be used says which", async () => {
  await withCertificates(async (certs) => {
    await Deno.remove(`${certs}/agent/private/proxy-agent.key`);
    const demo = startDemo(await fromBundle(), `--certs=${certs}`);
    assert.equal((await demo.ended).code, 1);
    await demo.stop();
    assert.match(demo.log, /^Error: the certificates cannot be used: .*proxy-agent\.crt exists but .*\.key does not/m);
  });
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  leakTest(`${signal} ends a demo that is starting, and its processes`, async () => {
    await withCertificates(async (certs) => {
      const demo = startDemo(await fromBundle(), `--certs=${certs}`);
      await until("a proxy-server runs", async () => (await processesWith(`${certs}/frontend`)).length > 0, patienceMs);
      demo.signal(signal);
      assert.equal((await demo.ended).code, code, demo.log);
      await demo.stop();
    });
  });
}

leakTest("a demo that is kept runs until Ctrl-C, and the commands that it prints work", async () => {
  await withCertificates(async (certs) => {
    const demo = startDemo(fromSource, `--certs=${certs}`, "--keep");
    await until("the demo is up", () => {
      assert.equal(demo.status, undefined, demo.log);
      return demo.log.includes("running until Ctrl-C");
    }, patienceMs);
    assertTable(demo.log);
    for (const start of ["curl -v -p ", "deno task "]) {
      const command = demo.log.split("\n").find((line) => line.startsWith(start)) ?? "";
      const answer = await new Deno.Command("sh", { args: ["-c", command], stdout: "piped", stderr: "piped" }).output();
      const told = new TextDecoder().decode(answer.stdout) + new TextDecoder().decode(answer.stderr);
      assert.match(told, /The success test page!/, command);
    }
    demo.signal("SIGINT");
    assert.equal((await demo.ended).code, 0, demo.log);
    await demo.stop();
  });
});
