import { leakTest } from "../support/assert/leak_free.ts";
import { buildPeers, goVersion } from "./go_build.ts";

/** The Go programs of this folder, built from go/NAME. */
export type PeerName = "client" | "egress" | "fakeagent" | "fakeserver" | "impostor" | "resume";

/** What a Go program prints of one scenario. */
export interface ScenarioResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

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
  built ??= buildPeers();
  return `${await built}/${name}`;
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
