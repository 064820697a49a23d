/**
 * Holds the documents against the project: relative links lead to a file, and to a chapter of it, tasks and tests that are named exist, and flags
 * belong to a program. `deno run --allow-read --allow-env tools/check_docs.ts`; exit code 1 with a line for each fault.
 * @module
 */
import { agentProgram } from "../src/programs/agent/agent_flags.ts";
import { certsProgram } from "../src/programs/certs/certs_flags.ts";
import { demoProgram } from "../src/programs/demo/demo_flags.ts";
import { konnectivityPrograms } from "../src/programs/konnectivity/konnectivity_flags.ts";
import { print, printError } from "../src/programs/terminal.ts";
import { serverProgram } from "../src/programs/server/server_flags.ts";
import { testClientProgram } from "../src/programs/test/test_client_flags.ts";
import { testServerProgram } from "../src/programs/test/test_server_flags.ts";
import config from "../deno.json" with { type: "json" };

const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "BENCHMARKS.md",
  "RELEASE.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  "examples/kubernetes/README.md",
  "charts/konnectivity/README.md",
  "docs/balancers.md",
  "docs/checks.md",
  "docs/compatibility.md",
  "docs/distributions.md",
  "docs/faults.md",
  "docs/getting-started.md",
  "docs/migration.md",
  "docs/operating.md",
  "docs/reference.md",
  "docs/runbook.md",
  "docs/security.md",
  "docs/troubleshooting.md",
  ...["README", "agent", "client", "pains", "server", "tests", "tunnels", "wire"].map((name) =>
    `docs/original/${name}.md`
  ),
];
const programs = [
  ...[serverProgram, agentProgram, testClientProgram, testServerProgram, certsProgram, demoProgram],
  ...konnectivityPrograms.values(),
];

const generated: ReadonlySet<string> = new Set([
  "docs/distributions.md",
  "docs/reference.md",
  "docs/original/tests.md",
  "BENCHMARKS.md",
]);

/** Flags of other programs that the documents show. */
const foreignFlags = new Set([
  "from",
  "minutes",
  "sample",
  "times",
  "scenario",
  "seeds",
  "proxy-key",
  "proxy-cert",
  "proxy-cacert",
  "proxy-cert-type",
  "allow-net",
  "allow-read",
  "allow-write",
  "allow-sys",
  "no-prompt",
  "deny-run",
  "deny-ffi",
  "deny-import",
  "target",
  "num-kcp-nodes",
  "num-worker-nodes",
  "sideload-images",
  "kubeconfig",
  "egress-selector-config-file",
  "help",
  "version",
  "v8-flags",
  "expose-gc",
  // Of the tasks that fuzz.
  "seconds",
  "seed",
  "inputs",
  "merge",
  "sample",
  "heap-growing-percent",
  "no-concurrent-array-buffer-sweeping",
  "single-threaded-gc",
  "max-semi-space-size",
  "max-old-space-size",
  "initial-old-space-size",
  // Of the tools by which a release is verified.
  "repo",
  "signer-workflow",
  "bundle",
  "new-bundle-format",
  "type",
  "certificate-oidc-issuer",
  "certificate-identity",
  "frozen",
  // Of helm and kubectl.
  "namespace",
  "reuse-values",
  "set",
  "tail",
  "prefix",
  "previous",
  "server",
  // Of deno, of tools/readme_tables.ts and tools/run_tests.ts.
  "allow-env",
  "no-check",
  "filter",
  "check",
  "long",
]);

const flags = new Set([...foreignFlags, ...programs.flatMap((program) => program.flags.map((flag) => flag.name))]);
const tasks = new Set(Object.keys(config.tasks));

/** What a link to a chapter of a Markdown text has behind its #. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const prose = markdown.replaceAll(/^( *)```[^]*?^\1```$/gm, "");
  return new Set(
    [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-")
    ),
  );
}

/**
 * Links of a document to chapters that there are not, in itself and in others.
 * @param read the text of a file; undefined where there is none, which is another fault
 */
export function anchorFaults(name: string, text: string, read: (path: string) => string | undefined): string[] {
  const found: string[] = [];
  for (const [, target = "", anchor = ""] of text.matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)) {
    if (target !== "" && !target.endsWith(".md")) continue;
    const path = new URL(target, `file:///${name}`).pathname.slice(1);
    const other = target === "" ? text : read(path);
    if (other === undefined || anchorsOf(other).has(anchor)) continue;
    found.push(`${name}: link to ${target}#${anchor}, which is no chapter`);
  }
  return found;
}

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

/**
 * Tests that a document names, as `tests/file_test.ts` with titles in quotes behind it, and that there are not. Three dots
 * stand for what a title has there.
 * @param read the text of a file; undefined where there is none
 */
export function testFaults(name: string, text: string, read: (path: string) => string | undefined): string[] {
  const found: string[] = [];
  const prose = text.replace(/[\s|]+/g, " ");
  for (
    const [, path = "", titles = ""] of prose.matchAll(
      /`((?:src|tests|tools)\/[\w./-]+_test\.ts)`((?:[,:;]?(?: and)? "[^"]+")*)/g,
    )
  ) {
    const file = read(path);
    if (file === undefined) {
      found.push(`${name}: ${path}, which does not exist`);
      continue;
    }
    const lines = file.split("\n");
    for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g)) {
      if (!lines.some((line) => hasInOrder(line, title.split("…")))) {
        found.push(`${name}: ${path} has no test "${title}"`);
      }
    }
  }
  return found;
}

function hasInOrder(line: string, parts: readonly string[]): boolean {
  let from = 0;
  for (const part of parts) {
    const at = line.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}

function textOf(path: string): string | undefined {
  return exists(path) ? Deno.readTextFileSync(new URL(path, new URL("../", import.meta.url))) : undefined;
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
  const found = documents.flatMap((name) => {
    const text = textOf(name);
    return text === undefined
      ? []
      : [...faults(name, text, exists), ...anchorFaults(name, text, textOf), ...testFaults(name, text, textOf)];
  });
  for (const line of found) printError(line);
  if (found.length === 0) print(`documents are in order`);
  Deno.exit(found.length === 0 ? 0 : 1);
}
