/**
 * Processes whose command line holds a text, as `pid: command line`. Linux only: elsewhere none are seen.
 * @param text something that no other process has in its arguments, such as a temporary folder's path
 */
export async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
      const command = await commandLine(name);
      if (command.includes(text)) found.push(`${name}: ${command}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

async function commandLine(pid: string): Promise<string> {
  try {
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
