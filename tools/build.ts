/**
 * `deno task build`: the programs in a few JavaScript files, and a launcher for each program that runs it under
 * exactly the permissions of its command line, with their completions and manual pages. Needs no network once the bundler is in Deno's cache.
 * @module
 */
import { dirname } from "node:path";
import { completion, manPages } from "../src/programs/konnectivity/completion/completions.ts";
import { binaries, type Binary, deno, root } from "./binaries.ts";

/** A module that a bundle loads when it is asked for, from a file beside it. */
interface Beside {
  readonly module: string;
  readonly file: string;
  /** How the bundle's sources name it. */
  readonly specifiers: readonly string[];
}

/** What makes certificates. */
const x509: Beside = { module: "src/programs/certs/x509.ts", file: "x509.js", specifiers: ["./x509.ts"] };
/** What reads kubeconfigs, with a library for YAML. */
const kubeconfig: Beside = {
  module: "src/kube/access/kubeconfig.ts",
  file: "kubeconfig.js",
  specifiers: ["./kubeconfig.ts", "../../kube/access/kubeconfig.ts"],
};

/** What the page of the admin ports shows and is made of. */
const page: Beside = { module: "src/ops/page/page_content.ts", file: "page.js", specifiers: ["./page_content.ts"] };

/** A bundle, what it is made of, and what it does not hold. */
interface Bundle {
  readonly path: string;
  readonly module: string;
  readonly beside: readonly Beside[];
}

/** All programs; konnectivity reads YAML and knows the findings of the page in any case. */
const whole: Bundle = { path: "dist/konnectivity.js", module: "main.ts", beside: [x509] };
/** The roles, which serve for months, and the programs of tests by themselves: a process holds its whole bundle in memory. */
const roles = {
  server: { path: "dist/server.js", module: "src/programs/roles/server_entry.ts", beside: [kubeconfig, page] },
  agent: { path: "dist/agent.js", module: "src/programs/roles/agent_entry.ts", beside: [kubeconfig, page] },
  test: { path: "dist/test.js", module: "src/programs/roles/test_entry.ts", beside: [] },
} satisfies Readonly<Record<string, Bundle>>;
/** What the launchers of all programs but konnectivity ask for their permissions. */
const question: Bundle = {
  path: "dist/permissions.js",
  module: "src/programs/permissions/ask.ts",
  beside: [kubeconfig],
};
const besideBundles: readonly Bundle[] = [x509, kubeconfig, page].map(({ module, file }) => (
  { path: `dist/${file}`, module, beside: [] }
));
/** What runs the programs. */
const programBundles: readonly Bundle[] = [...besideBundles, whole, ...Object.values(roles)];

/** The bundle that a program is in, below the folder that is built into. */
export function bundleOf(program: Binary["program"]): string {
  return bundleFor(program).path;
}

/** What the bundle of a program loads from beside it when it is asked for, below the folder that is built into. */
export function besideBundleOf(program: Binary["program"]): readonly string[] {
  return bundleFor(program).beside.map(({ file }) => `dist/${file}`);
}

function bundleFor(program: Binary["program"]): Bundle {
  switch (program) {
    case "server":
    case "agent":
      return roles[program];
    case "test-client":
    case "test-server":
      return roles.test;
    case "konnectivity":
      return whole;
  }
}

/** Completions of the launchers and their manual pages, below the folder that is built into. */
const share = "share";
/** Everything behind this line of tools/launch.sh is the same in every launcher. */
const marker = "# --- what follows is the same in every launcher\n";
/**
 * Packages of the CommonJS kind load the runtime's own modules with `require`, which a module of ours has not; to have it
 * takes 15 ms of a start.
 */
const requireLines = 'import { createRequire as createBundleRequire } from "node:module";\n' +
  "const require = createBundleRequire(import.meta.url);\n";

/**
 * Makes the bundles of the programs, without launchers, in a folder, which is made where missing.
 * @returns the exit code of the bundler
 */
export async function buildBundles(folder: string): Promise<number> {
  return await makeBundles(folder, programBundles);
}

/**
 * Builds into a folder, which is made where missing.
 * @returns the exit code of the bundler
 */
export async function build(folder: string = root): Promise<number> {
  const code = await makeBundles(folder, [...programBundles, question]);
  if (code !== 0) return code;
  const launch = await Deno.readTextFile(`${root}/tools/launch.sh`);
  const common = launch.slice(launch.indexOf(marker) + marker.length);
  if (common.length === launch.length) throw new Error("tools/launch.sh has lost its marker line");
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  for (const binary of binaries) {
    const path = `${folder}/bin/${binary.name}`;
    await Deno.writeTextFile(`${path}.new`, launcherHead(binary) + common, { mode: 0o755 });
    await Deno.rename(`${path}.new`, path);
  }
  await writeShare(`${folder}/${share}`);
  return 0;
}

/** What belongs to the launchers where a system looks for it: below a prefix such as /usr/local. */
async function writeShare(folder: string): Promise<void> {
  const files: (readonly [path: string, text: string])[] = [
    ["bash-completion/completions/konnectivity", completion("bash")],
    ["zsh/site-functions/_konnectivity", completion("zsh")],
    ["fish/vendor_completions.d/konnectivity.fish", completion("fish")],
    ...manPages().map(({ file, text }) => [`man/${file}`, text] as const),
  ];
  for (const [path, text] of files) {
    await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text);
  }
}

async function makeBundles(folder: string, bundles: readonly Bundle[]): Promise<number> {
  await Deno.mkdir(`${folder}/dist`, { recursive: true });
  for (const each of bundles) {
    const code = await makeBundle(each, `${folder}/${each.path}`);
    if (code !== 0) return code;
  }
  return 0;
}

/**
 * Bundles twice: what the first pass makes is repaired before the second makes it small, since a process keeps the text of
 * its program in memory. The map beside the bundle holds the first pass's text, which names each source file, and leads to
 * it. The bundle does not name its map, since the runtime would load it at each start.
 */
async function makeBundle({ module, beside }: Bundle, path: string): Promise<number> {
  const external = beside.flatMap(({ specifiers }) => specifiers.map((each) => `--external=${each}`));
  const whole = path.replace(/js$/, "whole.js");
  const fresh = path.replace(/js$/, "new.js");
  const common = ["bundle", "--quiet", "--platform=deno"];
  const first = await deno([...common, ...external, `--output=${whole}`, module]);
  if (first !== 0) return first;
  const text = repaired(await Deno.readTextFile(whole), beside);
  await Deno.writeTextFile(whole, /\brequire\(|\brequire\.apply/.test(text) ? requireLines + text : text);
  const second = await deno([...common, "--minify", "--sourcemap=external", `--output=${fresh}`, whole]);
  if (second !== 0) return second;
  await Deno.rename(`${fresh}.map`, `${path}.map`);
  await Deno.rename(fresh, path);
  await Deno.remove(whole);
  return 0;
}

/**
 * The bundler takes tslib's `module.exports` for a transpiled module's, and finds no default export in it. The second
 * argument of its helper says what it does not know: that the importing file is a module of Node's kind. And what lies
 * beside the bundle is named so that the runtime does not read it before it is asked for.
 */
function repaired(text: string, beside: readonly Beside[]): string {
  const others = beside.flatMap(({ specifiers, file }) => specifiers.map((specifier) => ({ specifier, file })));
  return others.reduce(
    (each, { specifier, file }) =>
      each.replaceAll(`import("${specifier}")`, `import(new URL("./${file}", import.meta.url).href)`),
    text.replace(/= __toESM\((require_tslib\d*)\(\)\);/g, "= __toESM($1(), 1);"),
  );
}

function launcherHead(binary: Binary): string {
  return `#!/bin/sh
# ${binary.name} of konnectivity, made by \`deno task build\`.
here=$(dirname -- "$(readlink -f -- "$0")")
entry=$here/../${bundleOf(binary.program)}
question=${binary.program === "konnectivity" ? "$entry" : `$here/../${question.path}`}
config=--no-config
program=${binary.program}
built_with=${shellQuoted(Deno.execPath())}
`;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.main) {
  const code = await build();
  if (code === 0) {
    // deno-lint-ignore no-console -- what a person at a terminal is told
    console.log(
      [...programBundles.map(({ path }) => path), ...binaries.map((binary) => `bin/${binary.name}`), share].join("\n"),
    );
  }
  Deno.exit(code);
}
