import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

// Builds the Go programs of this folder. Where nothing is cached this takes most of a minute, for the sake of
// kube-apiserver's dialler: whoever runs the tests begins with it, and runs the tests that need it last.

const sources = fileURLToPath(new URL("./go", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/conformance", import.meta.url));

/** What the compiler saves by not optimising is far more than these programs take for it when they run. */
const flags = ["-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w"];

/** How `go version` introduces itself; undefined where there is no go. */
export const goVersion: string | undefined = await (async () => {
  try {
    const { code, stdout } = await new Deno.Command("go", { args: ["version"], stderr: "null" }).output();
    return code === 0 ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
})();

/** Builds all Go programs, unless neither their sources nor the compiler changed since. @returns the folder they are in */
export async function buildPeers(): Promise<string> {
  const folder = `${cache}/${await fingerprint()}`;
  if (await exists(folder)) return folder;
  await Deno.mkdir(cache, { recursive: true });
  // Built aside and renamed: another test process may be building the same.
  const aside = await Deno.makeTempDir({ dir: cache, prefix: "building-" });
  const { code, stderr } = await new Deno.Command("go", {
    args: ["build", ...flags, "-o", `${aside}/`, "./..."],
    cwd: sources,
    // Its collector would take a fifth of the compiler's time.
    env: { CGO_ENABLED: "0", GOGC: "400" },
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
  const hash = createHash("sha256").update(`${goVersion} ${flags.join(" ")}`);
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
