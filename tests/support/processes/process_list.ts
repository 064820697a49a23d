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

/** The ids of all processes of a process group, those that have ended and were not waited for included. Linux only. */
export async function processesOfGroup(group: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // Behind the program's name, which may hold anything: state, parent, group.
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (Number(stat.slice(stat.lastIndexOf(")") + 1).split(" ")[3]) === group) found.push(Number(name));
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
