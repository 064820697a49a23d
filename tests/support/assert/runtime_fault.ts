import { leakTest } from "./leak_free.ts";

/** What works around a fault of the runtime. */
export interface Workaround {
  /** The file, from the project's folder. */
  readonly file: string;
  /** What is to be done once the runtime is mended, where that is not to remove the file. */
  readonly then?: string;
}

/**
 * Registers a test that shows a fault on the bare runtime, without what works around it. It fails once the runtime is
 * mended: nobody would know otherwise that the workaround is of no use any more. ARCHITECTURE.md lists them.
 * @param isThere whether the fault was seen
 */
export function runtimeFault(name: string, workaround: Workaround, isThere: () => Promise<boolean>): void {
  leakTest(name, async () => {
    if (await isThere()) return;
    const { file, then = `remove ${file}` } = workaround;
    throw new Error(
      `mended upstream, in Deno ${Deno.version.deno} or before: ${then}, and its line in ARCHITECTURE.md`,
    );
  });
}

/** Whether a script fails in a process of its own, which is allowed what the flag says. */
export async function failsAlone(flag: "--allow-read" | "--deny-net", script: string): Promise<boolean> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", flag, `data:text/javascript,${encodeURIComponent(script)}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return code !== 0;
}
