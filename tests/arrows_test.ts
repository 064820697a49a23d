import assert from "node:assert/strict";
import { walk } from "./support/walk.ts";

/**
 * Which folders' modules each folder may import, itself always included. `gen` is the generated code. Type-only imports
 * count too, so that a folder can be read, tested and replaced with only what stands left of it.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "gen": [],
  "src/wire": ["gen"],
  "src/time": [],
  "src/tunnel": ["gen", "src/wire"],
  "src/h2": ["src/wire"],
  "src/net": ["gen", "src/wire", "src/time", "src/tunnel", "src/h2"],
  "src/kube": ["src/wire"],
  "src/server": ["gen", "src/wire", "src/time", "src/tunnel"],
  "src/agent": ["gen", "src/wire", "src/time", "src/tunnel"],
  "src/client": ["gen", "src/wire", "src/tunnel", "src/net"],
  "src/ops": ["gen", "src/wire", "src/tunnel"],
  "src/cli": [
    "deno.json",
    "gen",
    "src/wire",
    "src/tunnel",
    "src/net",
    "src/kube",
    "src/server",
    "src/agent",
    "src/client",
    "src/ops",
  ],
  "deno.json": [],
  "main.ts": ["src/cli"],
};

/** What may be imported for its types alone: ops reads the tables of each role through the interfaces that the role defines. */
const allowedTypes: Readonly<Record<string, readonly string[]>> = {
  "src/ops": ["src/server", "src/agent", "src/client"],
};

/** Folders whose code runs without I/O, clock or timers, so that every state is testable without them. */
const pure: readonly string[] = ["src/wire", "src/tunnel", "src/h2"];

/** What pure code must not mention. */
const impure: readonly RegExp[] = [
  /\bDeno\b/,
  /\bset(?:Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bconsole\b/,
  /\bperformance\b/,
  /\bDate\b/,
  /\bfetch\(/,
  /["']node:/,
];

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const root = new URL("../", import.meta.url);

/** The text without comments and without what strings and templates hold, import specifiers excepted. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, " "));
}

function imports(text: string): Import[] {
  const found: Import[] = [];
  const statement = /^\s*(import|export)\s+(type\s+)?([^;"']*?\bfrom\s*)?["']([^"']+)["']/gm;
  for (const [, , type, names, specifier] of text.matchAll(statement)) {
    const listed = /\{([^}]*)\}/.exec(names ?? "")?.[1]?.split(",").map((name) => name.trim()).filter((name) =>
      name !== ""
    );
    const onlyTypes = listed !== undefined && listed.length > 0 && listed.every((name) => name.startsWith("type ")) &&
      !/^[^{]*\w[^{]*,\s*\{/.test(names ?? "");
    found.push({ specifier: specifier ?? "", typeOnly: type !== undefined || onlyTypes });
  }
  for (const [, specifier] of text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)) {
    found.push({ specifier: specifier ?? "", typeOnly: false });
  }
  return found;
}

/** The folder of the table that a path of the project belongs to. */
function folderOf(path: string): string | undefined {
  return Object.keys(allowed).find((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The project's own module that an import names, as a path; undefined for packages and the runtime. */
function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const url = new URL(specifier, new URL(from, root));
  return decodeURIComponent(url.pathname.slice(root.pathname.length));
}

interface Module {
  readonly path: string;
  readonly text: string;
}

async function modules(): Promise<Module[]> {
  const paths = ["main.ts", ...await walk("gen"), ...await walk("src")].filter((path) => path.endsWith(".ts"));
  const found: Module[] = [];
  for (const path of paths) {
    try {
      found.push({ path, text: code(await Deno.readTextFile(new URL(path, root))) });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}

function isTest(path: string): boolean {
  return path.endsWith("_test.ts");
}

Deno.test("every module imports only what stands left of its folder in the arrows of the design", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path)) continue;
    const folder = folderOf(path);
    if (folder === undefined) {
      wrong.push(`${path} is in no folder that the design knows`);
      continue;
    }
    for (const { specifier, typeOnly } of imports(text)) {
      const target = resolve(path, specifier);
      if (target === undefined) continue;
      const other = folderOf(target);
      const may = other !== undefined &&
        (other === folder || allowed[folder]?.includes(other) === true ||
          (typeOnly && allowedTypes[folder]?.includes(other) === true));
      if (!may) wrong.push(`${path} imports ${specifier}${typeOnly ? " (types)" : ""}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no import goes in a circle between folders", () => {
  const reach = (folder: string, seen: ReadonlySet<string>): void => {
    for (const next of [...allowed[folder] ?? [], ...allowedTypes[folder] ?? []]) {
      assert.ok(!seen.has(next), `${folder} and ${next} reach each other`);
      reach(next, new Set([...seen, next]));
    }
  };
  for (const folder of Object.keys(allowed)) reach(folder, new Set([folder]));
});

Deno.test("wire, tunnel and h2 mention no socket, timer, clock, runtime or console", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || !pure.some((folder) => path.startsWith(`${folder}/`))) continue;
    text.split("\n").forEach((line, at) => {
      for (const word of impure) if (word.test(line)) wrong.push(`${path}:${at + 1}: ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

Deno.test("only net, cli and kube use the runtime's sockets", async () => {
  const sockets =
    /["']node:(?:net|tls|http|https|http2|dgram|dns)["']|\bDeno\.(?:connect|connectTls|listen|listenTls|startTls)\b/;
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || /^src\/(?:net|cli|kube)\//.test(path)) continue;
    if (sockets.test(text)) wrong.push(path);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the reader of import statements sees every form of them", () => {
  const text = `
import a from "./a.ts";
import type { B } from "./b.ts";
import { type C, type D } from "./c.ts";
import {
  type E,
  f,
} from "./e.ts";
import "./g.ts";
export { h } from "./h.ts";
export type { I } from "./i.ts";
export * from "./j.ts";
import * as k from "./k.ts";
import l, { type M } from "./l.ts";
const n = await import("./n.ts");
`;
  assert.deepEqual(
    imports(text).map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " types" : ""}`),
    [
      "./a.ts",
      "./b.ts types",
      "./c.ts types",
      "./e.ts",
      "./g.ts",
      "./h.ts",
      "./i.ts types",
      "./j.ts",
      "./k.ts",
      "./l.ts",
      "./n.ts",
    ],
  );
});
