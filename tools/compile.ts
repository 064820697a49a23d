/**
 * `deno task compile [FOLDER]`: one executable for each program, with the permissions of its role inside. The ports and
 * files of a command line are not known when it is compiled, so they are wider than what the launchers of
 * `deno task build` grant.
 * @module
 */
import { resolve } from "node:path";
import { proxyVariables } from "../src/dial/proxy/proxy_settings.ts";
import { descriptorLimitVariable } from "../src/programs/descriptor_limit.ts";
import { styleVariables } from "../src/programs/konnectivity/text_style.ts";
import { memoryLimitVariable } from "../src/programs/memory_limit.ts";
import { engineFlags } from "../src/runtime/engine_flags.ts";
import { binaries, type Binary, root } from "./binaries.ts";
import { besideBundleOf, buildBundles, bundleOf } from "./build.ts";

const cluster = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", ...proxyVariables];

/** What some command line of a role needs beside the network and files. */
interface Granted {
  readonly env: readonly string[];
  readonly sys: readonly string[];
}

/** What some command line of each role needs, but profiles: those take all of the system's information. */
const granted: Readonly<Record<Binary["program"], Granted>> = {
  "server": {
    env: ["PROXY_SERVER_ID", descriptorLimitVariable, memoryLimitVariable, ...cluster],
    sys: ["hostname", "uid"],
  },
  "agent": {
    env: ["PROXY_AGENT_ID", descriptorLimitVariable, memoryLimitVariable, ...cluster],
    sys: ["hostname", "networkInterfaces", "uid"],
  },
  "test-client": { env: [], sys: ["hostname", "uid"] },
  "test-server": { env: [], sys: ["hostname", "uid"] },
  "konnectivity": {
    env: [
      ...["PROXY_SERVER_ID", "PROXY_AGENT_ID", descriptorLimitVariable, memoryLimitVariable],
      ...styleVariables,
      ...cluster,
    ],
    sys: ["osRelease"],
  },
};

/** The permissions of a compiled program, as flags of deno. */
export function permissionFlags(program: Binary["program"]): string[] {
  const { env, sys } = granted[program];
  return [
    "--no-prompt",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    ...(env.length === 0 ? [] : [`--allow-env=${env.join()}`]),
    "--ignore-env",
    sys.length === 0 ? "--deny-sys" : `--allow-sys=${sys.join()}`,
    "--deny-run",
    "--deny-ffi",
    "--deny-import",
  ];
}

/** What a compiled program sets in its environment. */
export const environmentFile: string = `${root}/tools/compiled.env`;

/** Exit codes where nothing is compiled for a reason that is known; others are the bundler's or deno's own. */
export const noStubCode = 3;
export const crashCode = 4;

/**
 * Arguments of deno that compile a program. It is a bundle that is compiled: it is a hundredth of the sources with
 * their packages, which main.ts itself would bring along. All that a program may load is inside, since what is not is looked for in a folder of
 * `/tmp`, where anybody may put it; there the runtime would keep compiled code too, hence no cache of it.
 */
function compileArgs({ program }: Binary, folder: string, output: string): string[] {
  return [
    "compile",
    "--quiet",
    "--no-config",
    "--no-check",
    "--no-code-cache",
    engineFlags,
    `--env-file=${environmentFile}`,
    ...permissionFlags(program),
    ...besideBundleOf(program).map((path) => `--include=${folder}/${path}`),
    `--output=${output}`,
    `${folder}/${bundleOf(program)}`,
    program,
  ];
}

const launchersInstead = `"deno task build" makes launchers of the same names that need only deno itself.
`;

const noStub = `Error: deno compile needs the runtime stub "denort" of its own version (${Deno.version.deno}), which it
downloads from dl.deno.land on first use and could not get. Go online once, or name a denort file in DENORT_BIN.
Without either, ${launchersInstead}`;

const unusableStub = `Error: what DENORT_BIN names is no program that deno compile can add to. Name the runtime stub
"denort" of deno ${Deno.version.deno}, or unset it to have deno download its own.
Without either, ${launchersInstead}`;

function crashed(name: string, how: string): string {
  return `Error: deno compile itself crashed over ${name} (${how}). That is a fault of deno ${Deno.version.deno}, and neither
the stub nor the network would help: compile with another version of deno.
Without one, ${launchersInstead}`;
}

/** What became of one run of deno compile. */
export interface CompileOutcome {
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

/**
 * Why a program was not compiled.
 * @param name the program
 * @returns an exit code, and what to do where that is known
 */
export function compileFailure(
  name: string,
  { code, signal, stderr }: CompileOutcome,
): { readonly code: number; readonly advice: string } {
  if (signal !== null || code > 128) {
    const overflowed = /has overflowed its stack/.test(stderr) ? "its stack overflowed, " : "";
    return { code: crashCode, advice: crashed(name, overflowed + (signal ?? `exit code ${code}`)) };
  }
  if (/Setting up base binary|Could not find denort/.test(stderr)) return { code: noStubCode, advice: noStub };
  if (/Writing binary bytes/.test(stderr)) return { code: noStubCode, advice: unusableStub };
  return { code, advice: "" };
}

async function say(text: string, where: typeof Deno.stdout | typeof Deno.stderr = Deno.stderr): Promise<void> {
  await where.write(new TextEncoder().encode(text));
}

/** @returns the exit code: 0, or why it is not compiled, which is said */
async function compileOne(binary: Binary, folder: string, output: string): Promise<number> {
  const { code, signal, stderr } = await new Deno.Command(Deno.execPath(), {
    args: compileArgs(binary, folder, output),
    cwd: root,
    env: { DENO_NO_PACKAGE_JSON: "1" },
    stderr: "piped",
  }).output();
  if (code === 0) return 0;
  const failure = compileFailure(binary.name, { code, signal, stderr: new TextDecoder().decode(stderr) });
  await Deno.stderr.write(stderr);
  await say(failure.advice);
  return failure.code;
}

/**
 * Compiles all programs into a folder's `bin/`, from bundles that are made anew in its `dist/`. Where one cannot be
 * compiled, `bin/` stays as it is.
 * @returns the exit code: 0, or that of what failed, which is said
 */
export async function compile(folder: string): Promise<number> {
  const bundled = await buildBundles(folder);
  if (bundled !== 0) return bundled;
  await Deno.mkdir(`${folder}/bin`, { recursive: true });
  // Aside first: deno does not overwrite what it has not compiled, such as a launcher, and a program may be running.
  const aside = await Deno.makeTempDir({ dir: `${folder}/bin`, prefix: "compiling-" });
  try {
    for (const binary of binaries) {
      const code = await compileOne(binary, folder, `${aside}/${binary.name}`);
      if (code !== 0) return code;
    }
    for (const { name } of binaries) await Deno.rename(`${aside}/${name}`, `${folder}/bin/${name}`);
    return 0;
  } finally {
    await Deno.remove(aside, { recursive: true });
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  const code = await compile(folder === undefined ? root : resolve(folder));
  if (code === 0) await say(binaries.map(({ name }) => `bin/${name}\n`).join(""), Deno.stdout);
  Deno.exit(code);
}
