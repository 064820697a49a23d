/**
 * Holds the documents against the project: relative links lead somewhere, tasks that are named exist, and flags belong to a
 * program. `deno run --allow-read --allow-env tools/check_docs.ts`; exit code 1 with a line for each fault.
 * @module
 */
import { agentProgram } from "../src/cli/agent_flags.ts";
import { certsProgram } from "../src/cli/certs/certs_flags.ts";
import { demoProgram } from "../src/cli/demo/demo_flags.ts";
import { print, printError } from "../src/cli/terminal.ts";
import { serverProgram } from "../src/cli/server_flags.ts";
import { testClientProgram } from "../src/cli/test_client_flags.ts";
import { testServerProgram } from "../src/cli/test_server_flags.ts";
import config from "../deno.json" with { type: "json" };

const documents = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "BENCHMARKS.md", "RELEASE.md", "docs/reference.md"];
const programs = [serverProgram, agentProgram, testClientProgram, testServerProgram, certsProgram, demoProgram];

const generated: ReadonlySet<string> = new Set(["docs/reference.md", "BENCHMARKS.md"]);

/** Flags of other programs that the documents show. */
const foreignFlags = new Set([
  "proxy-key",
  "proxy-cert",
  "proxy-cacert",
  "proxy-cert-type",
  "allow-net",
  "allow-read",
  "allow-write",
  "allow-sys",
  "no-prompt",
  "target",
  "num-kcp-nodes",
  "num-worker-nodes",
  "sideload-images",
  "kubeconfig",
  "help",
  "version",
  "v8-flags",
  "expose-gc",
  "heap-growing-percent",
  "initial-old-space-size",
]);

const flags = new Set([...foreignFlags, ...programs.flatMap((program) => program.flags.map((flag) => flag.name))]);
const tasks = new Set(Object.keys(config.tasks));

/** What is wrong with a document, a line each. */
export function faults(name: string, text: string, exists: (path: string) => boolean): string[] {
  const found: string[] = [];
  for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const folder = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
    if (!exists(folder + target)) found.push(`${name}: link to ${target}, which does not exist`);
  }
  for (const [, task = ""] of text.matchAll(/deno task ([a-z][a-z:-]*)/g)) {
    if (!tasks.has(task)) found.push(`${name}: deno task ${task}, which does not exist`);
  }
  // Those are generated, and name what they were generated from.
  if (generated.has(name)) return found;
  for (const [, flag = ""] of text.matchAll(/(?<![\w-])--([a-z][a-z0-9-]+)/g)) {
    if (!flags.has(flag)) found.push(`${name}: --${flag}, which no program has`);
  }
  return found;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, new URL("../", import.meta.url)));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) {
  const found = documents.filter(exists).flatMap((name) =>
    faults(name, Deno.readTextFileSync(new URL(name, new URL("../", import.meta.url))), exists)
  );
  for (const line of found) printError(line);
  if (found.length === 0) print(`documents are in order`);
  Deno.exit(found.length === 0 ? 0 : 1);
}
