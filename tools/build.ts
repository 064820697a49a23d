/**
 * `deno task build`: the whole project in one JavaScript file, and a launcher for each program that runs it under
 * exactly the permissions of its command line. Needs no network once the bundler is in Deno's cache.
 * @module
 */
import { binaries, type Binary, deno, root } from "./binaries.ts";

const bundle = "dist/konnectivity.js";
/** Everything behind this line of tools/launch.sh is the same in every launcher. */
const marker = "# --- what follows is the same in every launcher\n";
/** Packages of the CommonJS kind load the runtime's own modules with `require`, which a module of ours has not. */
const requireLine = 'import { createRequire as createBundleRequire } from "node:module";\n' +
  "const require = createBundleRequire(import.meta.url);\n";

/**
 * Builds into a folder, which is made where missing.
 * @returns the exit code of the bundler
 */
export async function build(folder: string = root): Promise<number> {
  await Deno.mkdir(`${folder}/dist`, { recursive: true });
  const fresh = `${folder}/${bundle}.new`;
  const code = await deno(["bundle", "--quiet", "--platform=deno", `--output=${fresh}`, "main.ts"]);
  if (code !== 0) return code;
  await Deno.writeTextFile(fresh, requireLine + repaired(await Deno.readTextFile(fresh)));
  await Deno.rename(fresh, `${folder}/${bundle}`);
  const launch = await Deno.readTextFile(`${root}/tools/launch.sh`);
  const common = launch.slice(launch.indexOf(marker) + marker.length);
  if (common.length === launch.length) throw new Error("tools/launch.sh has lost its marker line");
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  for (const binary of binaries) {
    const path = `${folder}/bin/${binary.name}`;
    await Deno.writeTextFile(`${path}.new`, launcherHead(binary) + common, { mode: 0o755 });
    await Deno.rename(`${path}.new`, path);
  }
  return 0;
}

/**
 * The bundler takes tslib's `module.exports` for a transpiled module's, and finds no default export in it. The second
 * argument of its helper says what it does not know: that the importing file is a module of Node's kind.
 */
function repaired(text: string): string {
  return text.replace(/= __toESM\((require_tslib\d*)\(\)\);/g, "= __toESM($1(), 1);");
}

function launcherHead(binary: Binary): string {
  return `#!/bin/sh
# ${binary.name} of konnectivity, made by \`deno task build\`.
here=$(dirname -- "$(readlink -f -- "$0")")
entry=$here/../${bundle}
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
    console.log([bundle, ...binaries.map((binary) => `bin/${binary.name}`)].join("\n"));
  }
  Deno.exit(code);
}
