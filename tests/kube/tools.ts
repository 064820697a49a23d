import { fileURLToPath } from "node:url";
import { leakTest } from "../support/assert/leak_free.ts";
import { skippedTest } from "./kube_test_case.ts";

/** A tool that tools.sh brings. */
export type ToolName = "promtool" | "helm";

/** What a tool did. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  /** Everything that it said, in two parts. */
  readonly said: string;
}

/** Runs a tool to its end. */
export type Tool = (...args: readonly string[]) => Promise<ToolResult>;

const missingCode = 3;
/** Where helm is. */
export const toolFolder: string = fileURLToPath(new URL("../../.cache/kube/bin", import.meta.url));

/** A tool, or why it cannot be had. */
export type ToolFound = { readonly kind: "found"; readonly tool: Tool } | {
  readonly kind: "missing";
  readonly why: string;
};

/** Brings a tool, which may take minutes. @throws in CI, when it cannot be had */
export async function findTool(name: ToolName): Promise<ToolFound> {
  const script = fileURLToPath(new URL("tools.sh", import.meta.url));
  const { code, stderr } = await new Deno.Command("bash", {
    args: [script, name, toolFolder],
    stdout: "null",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (code === missingCode) {
    if (Deno.env.get("CI") === "true") throw new Error(said);
    return { kind: "missing", why: said };
  }
  if (code !== 0) throw new Error(`tests/kube/tools.sh ${name} ended with ${code}: ${said}`);
  return { kind: "found", tool: (...args) => run(name === "helm" ? `${toolFolder}/helm` : name, args) };
}

/** A test that uses a tool; skipped where it cannot be had, with the reason in its title, and in CI it fails then. */
export async function toolTests(name: ToolName): Promise<(title: string, body: (tool: Tool) => Promise<void>) => void> {
  const found = await findTool(name);
  if (found.kind === "missing") return (title) => skippedTest(title, found.why);
  return (title, body) => leakTest(title, () => body(found.tool));
}

async function run(command: string, args: readonly string[]): Promise<ToolResult> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  return { code, stdout: text, said: text + new TextDecoder().decode(stderr) };
}
