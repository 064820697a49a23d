import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { leakTest } from "../support/leak_free.ts";

/** The Go programs of this folder, built from go/NAME. */
export type PeerName = "client" | "egress" | "fakeagent" | "fakeserver";

/** What a Go program prints of one scenario. */
export interface ScenarioResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

const sources = fileURLToPath(new URL("./go", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/conformance", import.meta.url));

/** How `go version` introduces itself; undefined where there is no go. */
const goVersion: string | undefined = await (async () => {
  try {
    const { code, stdout } = await new Deno.Command("go", { args: ["version"], stderr: "null" }).output();
    return code === 0 ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
})();

const inCi = Deno.env.get("CI") === "true";

if (goVersion === undefined) {
  const what = inCi ? "fail" : "are skipped";
  Deno.stderr.writeSync(new TextEncoder().encode(`go is not installed: tests with the Go peers ${what}\n`));
}

/** Registers a test that needs a Go peer. Without go it is skipped and says so; in CI it fails. */
export function goTest(name: string, body: (t: Deno.TestContext) => Promise<void>): void {
  if (goVersion !== undefined) leakTest(name, body);
  else if (inCi) Deno.test(name, () => Promise.reject(new Error("go is not installed")));
  else Deno.test.ignore(`${name} (skipped: go is not installed)`, () => {});
}

/** Whether tests with Go peers run here. */
export const hasGo: boolean = goVersion !== undefined;

let built: Promise<string> | undefined;

/** The path of a Go peer, built when its sources or the compiler changed since it last was. */
export async function peer(name: PeerName): Promise<string> {
  built ??= build();
  return `${await built}/${name}`;
}

async function build(): Promise<string> {
  const folder = `${cache}/${await fingerprint()}`;
  if (await exists(folder)) return folder;
  await Deno.mkdir(cache, { recursive: true });
  // Built aside and renamed: another test process may be building the same.
  const aside = await Deno.makeTempDir({ dir: cache, prefix: "building-" });
  const { code, stderr } = await new Deno.Command("go", {
    args: ["build", "-ldflags=-s -w", "-o", `${aside}/`, "./..."],
    cwd: sources,
    env: { CGO_ENABLED: "0" },
    stdin: "null",
  }).output();
  if (code !== 0) {
    await Deno.remove(aside, { recursive: true });
    throw new Error(`go build failed:\n${new TextDecoder().decode(stderr)}`);
  }
  try {
    await Deno.rename(aside, folder);
  } catch (error) {
    if (!(await exists(folder))) throw error;
    await Deno.remove(aside, { recursive: true });
  }
  for await (const { name } of Deno.readDir(cache)) {
    // What was built from earlier sources is of no use any more.
    const path = `${cache}/${name}`;
    if (path !== folder && !name.startsWith("building-")) await Deno.remove(path, { recursive: true });
  }
  return folder;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function fingerprint(): Promise<string> {
  const hash = createHash("sha256").update(goVersion ?? "");
  const walk = async (folder: string): Promise<void> => {
    const entries = (await Array.fromAsync(Deno.readDir(folder))).sort((a, b) => a.name < b.name ? -1 : 1);
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else hash.update(path.slice(sources.length)).update(await Deno.readFile(path));
    }
  };
  await walk(sources);
  return hash.digest("hex").slice(0, 16);
}

/** The scenarios that a peer knows. */
export async function scenariosOf(name: PeerName): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command(await peer(name), { args: ["list"], stdin: "null" }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Runs one scenario of a peer that runs and ends. */
export async function runScenario(
  name: "client" | "egress",
  flags: readonly string[],
  scenario: string,
): Promise<ScenarioResult> {
  const { code, stdout, stderr } = await new Deno.Command(await peer(name), {
    args: [...flags, scenario],
    stdin: "null",
  }).output();
  const [line] = new TextDecoder().decode(stdout).split("\n");
  if (line === undefined || line === "") {
    const why = new TextDecoder().decode(stderr);
    return { name: scenario, ok: false, detail: `${name} ended with code ${code} and no result: ${why}` };
  }
  return JSON.parse(line);
}
