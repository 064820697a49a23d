import assert from "node:assert/strict";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { assertUnused, takeFixedPorts } from "../support/processes/fixed_ports.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { type Chapter, chaptersWithCommands } from "../support/processes/readme_commands.ts";
import { until } from "../support/assert/until.ts";

/** Where the commands are that start each program by hand. */
export const document = "docs/getting-started.md";
/** What they listen on. */
const ports = [8000, 8090, 8091, 8092, 8093, 8094, 8095];
const socketPath = "/tmp/uds-proxy";
/** How long a program may take to start or to end on a busy machine. */
const patienceMs = 60_000;

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const chapters = chaptersWithCommands(await Deno.readTextFile(`${root}${document}`)).filter(({ commands }) =>
  commands.some((command) => command.startsWith("./bin/proxy-server "))
);

let checkout: Promise<string> | undefined;

/**
 * A copy of the project as somebody who has just cloned it has it, with what it prepares by the document's own
 * commands; one for all tests of a file.
 * @param built it is not built anew: it has what all tests share
 */
function freshCheckout(built: boolean): Promise<string> {
  checkout ??= (async () => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-readme-" });
    const sharedBuild = built ? await builtProject() : "";
    const parts = ["deno.json", "deno.lock", "gen", "main.ts", "src", "tools"].map((part) => root + part);
    if (built) parts.push(...["bin", "dist"].map((part) => `${sharedBuild}/${part}`));
    const copy = await new Deno.Command("cp", { args: ["-R", ...parts, folder] }).output();
    assert.ok(copy.success, new TextDecoder().decode(copy.stderr));
    await Deno.symlink(`${root}node_modules`, `${folder}/node_modules`);
    for (const { commands } of chapters) {
      for (const command of commands.filter(prepares)) {
        if (built && command === "deno task build") continue;
        assert.equal((await run(folder, command)).code, 0, command);
      }
    }
    return folder;
  })();
  return checkout;
}

Deno.test.afterAll(async () => {
  if (checkout !== undefined) await Deno.remove(await checkout, { recursive: true });
});

function prepares(command: string): boolean {
  return command.startsWith("deno task ");
}

/** The words of a shell in the checkout, where deno is on the path. */
function inShell(folder: string, command: string): readonly string[] {
  return ["sh", "-c", `cd "$0" && exec ${command}`, folder];
}

const env = { PATH: [dirname(Deno.execPath()), Deno.env.get("PATH") ?? ""].join(delimiter) };

async function run(folder: string, command: string): Promise<{ code: number; stdout: string; told: string }> {
  const [shell = "", ...args] = inShell(folder, command);
  const output = await new Deno.Command(shell, { args, env: { NO_COLOR: "1", ...env }, stdin: "null" }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code: output.code, stdout: stdout ?? "", told: `${stdout}${stderr}` };
}

/** What shows that a program of the document is up. */
const signs: Readonly<Record<string, () => Promise<boolean>>> = {
  "http-test-server": () => answers(8000, "/success"),
  "proxy-server": () => answers(8092, "/healthz"),
  "proxy-agent": async () => await answers(8093, "/readyz") && await answers(8092, "/readyz"),
};

async function answers(port: number, path: string): Promise<boolean> {
  return (await httpGet(port, path)).status === 200;
}

/** Rewrites a command of the document for another way of running the programs. */
type Way = (command: string) => string;

const roles: readonly (readonly [string, string])[] = [
  ["./bin/proxy-server", "server"],
  ["./bin/proxy-agent", "agent"],
  ["./bin/proxy-test-client", "test-client"],
  ["./bin/http-test-server", "test-server"],
];

function insteadOfLaunchers(replacement: (role: string) => string): Way {
  return (command) =>
    roles.reduce(
      (text, [launcher, role]) => text.replace(new RegExp(`^${launcher}(?= |$)`), replacement(role)),
      command,
    );
}

export const ways = {
  "with the launchers": (command) => command,
  "with deno task": insteadOfLaunchers((role) => `deno task ${role}`),
  "under the named permission sets": insteadOfLaunchers((role) => `deno run --no-prompt -P=${role} main.ts ${role}`),
} as const satisfies Readonly<Record<string, Way>>;

/**
 * Runs a chapter's commands as its reader does: programs that serve go on running, the others must end well.
 * @param built see {@link freshCheckout}
 */
export async function follow(chapter: Chapter, way: Way, built: boolean): Promise<void> {
  const folder = await freshCheckout(built);
  using _ports = await takeFixedPorts(ports);
  await using programs = new AsyncDisposableStack();
  let served = 0;
  for (const command of chapter.commands) {
    if (prepares(command)) continue;
    const name = /^\S*\/(\S+)/.exec(command)?.[1] ?? "";
    const isUp = signs[name];
    if (isUp === undefined) {
      const { code, stdout, told } = await run(folder, way(command));
      assert.equal(code, 0, `${command}\n${told}`);
      assert.match(stdout, /The success test page!/, `${command}\n${told}`);
      served++;
      continue;
    }
    const program = programs.use(new Program(name, inShell(folder, way(command)), env));
    await until(`${name} is up`, async () => {
      assert.equal(program.status, undefined, `${command}\n${program.tail()}`);
      return await isUp();
    }, patienceMs);
  }
  assert.ok(served > 0, `no command of "${chapter.title}" sends a request`);
  if (chapter.commands.join().includes(socketPath)) {
    const { mode, isSocket } = await Deno.lstat(socketPath);
    assert.ok(isSocket);
    assert.equal((mode ?? 0) & 0o777, 0o770);
  }
  await programs.disposeAsync();
  await assert.rejects(Deno.lstat(socketPath), Deno.errors.NotFound);
  for (const port of ports) assertUnused(port);
  assert.deepEqual(await processesWith(folder), []);
}

/** What a permission set does not name is refused. @param built see {@link freshCheckout} */
export async function refusesBeyond(role: string, flag: string, told: RegExp, built: boolean): Promise<void> {
  const folder = await freshCheckout(built);
  using _ports = await takeFixedPorts(ports);
  const [launcher = ""] = roles.find((each) => each[1] === role) ?? [];
  const command = chapters[0]?.commands.find((each) => each.startsWith(launcher)) ?? "";
  const way = insteadOfLaunchers((name) => `deno run --no-prompt -P=${name} main.ts ${name}`);
  const refused = await run(folder, `${way(command)} ${flag}`);
  assert.equal(refused.code, 1, refused.told);
  assert.match(refused.told, told);
}
