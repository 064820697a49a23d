import assert from "node:assert/strict";
import { walk } from "./support/assert/walk.ts";

/**
 * Which folders' modules each folder may import, itself always included. `gen` is the generated code. Type-only imports
 * count too, so that a folder can be read, tested and replaced with only what stands left of it.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "gen": [],
  "src/wire": ["gen"],
  "src/faults": [],
  "src/runtime": ["src/faults"],
  "src/streams": ["gen", "src/wire", "src/faults"],
  "src/mux": ["src/wire", "src/faults", "src/streams"],
  "src/liveness": ["src/wire", "src/faults", "src/streams"],
  "src/h2": ["src/wire", "src/faults", "src/streams"],
  "src/dial": ["src/wire", "src/faults", "src/runtime"],
  "src/net": [
    "gen",
    "src/wire",
    "src/faults",
    "src/runtime",
    "src/dial",
    "src/streams",
    "src/mux",
    "src/h2",
  ],
  "src/kube": ["src/wire", "src/faults", "src/runtime", "src/dial"],
  "src/server": ["gen", "src/wire", "src/faults", "src/runtime", "src/streams", "src/mux", "src/liveness"],
  "src/agent": ["gen", "src/wire", "src/faults", "src/runtime", "src/streams", "src/mux", "src/liveness"],
  "src/client": ["gen", "src/wire", "src/faults", "src/runtime", "src/streams", "src/mux", "src/net"],
  "src/logging": ["src/faults"],
  "src/metrics": ["src/wire", "src/faults"],
  "src/tracing": ["src/wire"],
  "src/ops": ["gen", "src/wire", "src/faults", "src/logging"],
  "src/flags": ["src/wire"],
  "src/programs": [
    "deno.json",
    "gen",
    "src/flags",
    "src/wire",
    "src/faults",
    "src/runtime",
    "src/streams",
    "src/mux",
    "src/liveness",
    "src/dial",
    "src/net",
    "src/kube",
    "src/server",
    "src/agent",
    "src/client",
    "src/logging",
    "src/metrics",
    "src/tracing",
    "src/ops",
  ],
  "deno.json": [],
  "main.ts": ["src/programs"],
};

/**
 * What may be imported for its types alone: metrics and pages for operators read the tables of each role as the role defines them, and the runtime's reader of certificates says what the policies of `wire` ask of them.
 */
const allowedTypes: Readonly<Record<string, readonly string[]>> = {
  "src/runtime": ["src/wire"],
  "src/metrics": ["src/server", "src/agent", "src/client"],
  "src/tracing": ["src/server", "src/agent"],
  "src/ops": ["src/server", "src/agent", "src/streams", "src/runtime"],
};

/** Folders whose code runs without I/O, clock or timers, so that every state is testable without them. */
const pure: readonly string[] = ["src/wire", "src/faults", "src/streams", "src/mux", "src/liveness", "src/h2"];

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

/** Folders whose parts are handed a clock, so that they live in a test's time as in the runtime's. */
const clocked: readonly string[] = ["src/dial", "src/net", "src/server", "src/agent", "src/client", "src/kube"];

/** The runtime's own time, by its names; a date that is made of a given time is none. */
const runtimeTime: readonly RegExp[] = [
  /\bset(?:Timeout|Interval)\b/,
  /\bperformance\b/,
  /\bDate\.now\b/,
  /\bDate\(\s*\)/,
  /\bTemporal\b/,
  /\bAbortSignal\.timeout\b/,
  /["']node:timers/,
];

/** Who takes the runtime's clock and hands it on: a program's composition, and the client library's entry. */
const composes = /^src\/(?:programs\/|client\/connect\.ts$)/;

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
  const paths = ["main.ts", ...await walk("gen"), ...await walk("src")].filter((path) => /\.(?:ts|tsx|js)$/.test(path));
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

Deno.test("no folder has more than sixteen modules of its own, so that its list is read at a glance", async () => {
  const counts = new Map<string, number>();
  for (const { path } of await modules()) {
    if (isTest(path) || !path.startsWith("src/")) continue;
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  assert.deepEqual([...counts].filter(([, count]) => count > 16), []);
});

Deno.test("no file has more than 350 lines, whether it is a module, a test or a tool", async () => {
  const long: string[] = [];
  const paths = (await Promise.all(["src", "tests", "tools"].map((folder) => walk(folder)))).flat();
  for (const path of paths.filter((each) => /\.(?:ts|tsx|js)$/.test(each))) {
    const lines = (await Deno.readTextFile(new URL(path, root))).split("\n").length - 1;
    if (lines > 350) long.push(`${path}: ${lines}`);
  }
  assert.deepEqual(long, []);
});

Deno.test("wire, faults, streams, mux and h2 mention no socket, timer, clock, runtime or console", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || !pure.some((folder) => path.startsWith(`${folder}/`))) continue;
    text.split("\n").forEach((line, at) => {
      for (const word of impure) if (word.test(line)) wrong.push(`${path}:${at + 1}: ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

Deno.test("whatever lives in time is handed a clock, and mentions neither the runtime's timers nor its clocks", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || !clocked.some((folder) => path.startsWith(`${folder}/`))) continue;
    text.split("\n").forEach((line, at) => {
      for (const word of runtimeTime) if (word.test(line)) wrong.push(`${path}:${at + 1}: ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

Deno.test("only compositions and the client library's entry take the runtime's clock", async () => {
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || composes.test(path)) continue;
    for (const { specifier } of imports(text)) {
      if (resolve(path, specifier) === "src/runtime/system_clock.ts") wrong.push(path);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("every mention of the runtime's time is found, and a date of a given time is none", () => {
  const mentions = (line: string) => runtimeTime.some((word) => word.test(line));
  const reads = [
    "setTimeout(done, 5)",
    "socket.setTimeout(5)",
    "setInterval(step, 5)",
    "performance.now()",
    "Date.now()",
    "new Date()",
    "AbortSignal.timeout(5)",
    'import { setTimeout as wait } from "node:timers/promises";',
  ];
  assert.deepEqual(reads.filter((line) => !mentions(line)), []);
  const others = ["new Date(ms).toISOString()", "Date.parse(text)", "clock.now()", "AbortSignal.any([a])"];
  assert.deepEqual(others.filter(mentions), []);
});

Deno.test("only runtime, dial, net, programs and kube use the runtime's sockets", async () => {
  const sockets =
    /["']node:(?:net|tls|http|https|http2|dgram|dns)["']|\bDeno\.(?:connect|connectTls|listen|listenTls|startTls)\b/;
  const wrong: string[] = [];
  for (const { path, text } of await modules()) {
    if (isTest(path) || /^src\/(?:runtime|dial|net|programs|kube)\//.test(path)) continue;
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
