import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What is built, and from what. */
export interface Building {
  /** Its folder in `.cache/`. */
  readonly name: string;
  /** Files and folders of the project that it is made of. */
  readonly sources: readonly string[];
  /** What else the result depends on. */
  readonly key: string;
  /** Builds into an empty folder. */
  readonly build: (folder: string) => Promise<void>;
}

/**
 * Builds something for all test processes, unless neither its sources nor its key changed since. What was built from
 * earlier sources is removed.
 * @returns the folder it is in
 */
export async function buildOnce({ name, sources, key, build }: Building): Promise<string> {
  const cache = `${root}.cache/${name}`;
  const folder = `${cache}/${await fingerprint(sources, key)}`;
  if (await exists(folder)) return folder;
  await Deno.mkdir(cache, { recursive: true });
  // Built aside and renamed: another test process may be building the same.
  const aside = await Deno.makeTempDir({ dir: cache, prefix: "building-" });
  try {
    await build(aside);
    await Deno.rename(aside, folder);
  } catch (error) {
    await Deno.remove(aside, { recursive: true });
    if (!(await exists(folder))) throw error;
  }
  for await (const entry of Deno.readDir(cache)) {
    const path = `${cache}/${entry.name}`;
    if (path !== folder && !entry.name.startsWith("building-")) await Deno.remove(path, { recursive: true });
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

async function fingerprint(sources: readonly string[], key: string): Promise<string> {
  const hash = createHash("sha256").update(key);
  const add = async (path: string): Promise<void> => {
    if ((await Deno.stat(root + path)).isFile) {
      hash.update(path).update(await Deno.readFile(root + path));
      return;
    }
    const names = (await Array.fromAsync(Deno.readDir(root + path))).map((entry) => entry.name);
    // Nothing is built of tests, which change more often than what they test.
    for (const each of names.sort()) if (!each.endsWith("_test.ts")) await add(`${path}/${each}`);
  };
  for (const source of sources) await add(source);
  return hash.digest("hex").slice(0, 16);
}
