import { shellWords } from "./shell_words.ts";

/** The program that a command line runs, of those that can be checked, and its flags. */
export interface ProgramCommand {
  readonly role: "server" | "agent";
  readonly flags: readonly string[];
  /** A shell starts it, with this script. */
  readonly shell?: string;
}

/** How the programs are called by the original, by us and by distributions. */
const names: ReadonlyMap<string, ProgramCommand["role"]> = new Map([
  ["proxy-server", "server"],
  ["konnectivity-server", "server"],
  ["proxy-agent", "agent"],
  ["konnectivity-agent", "agent"],
]);

const shells: ReadonlySet<string> = new Set(["sh", "bash", "ash", "dash"]);

/** Finds the program among the words of a command; undefined: it is none of ours. */
export function programCommand(words: readonly string[]): ProgramCommand | undefined {
  const [first = ""] = words;
  if (shells.has(baseName(first))) {
    const script = words[words.findIndex((word) => /^-[a-z]*c$/.test(word)) + 1];
    if (script === undefined || script === first) return undefined;
    // What stands before it, such as `set -e;` or `exec`, is a command of its own.
    for (const command of commandsOf(script)) {
      const found = programCommand(shellWords(command));
      if (found !== undefined) return { ...found, shell: script };
    }
    return undefined;
  }
  const at = words.findIndex((word) => names.has(baseName(word)));
  const role = names.get(baseName(words[at] ?? ""));
  return role === undefined ? undefined : { role, flags: words.slice(at + 1) };
}

/** The commands of a script. A line that begins with a flag belongs to the one before it. */
function commandsOf(script: string): string[] {
  const commands: string[] = [];
  for (const line of script.split("\n")) {
    const text = line.trimStart();
    if (text === "") continue;
    if (text.startsWith("-") && commands.length > 0) commands.push(`${commands.pop()}\n${line}`);
    else commands.push(line);
  }
  return commands.flatMap((command) => command.split(/&&|;/));
}

/** The program of an image by its name; undefined: it does not tell. */
export function roleOfImage(image: string): ProgramCommand["role"] | undefined {
  return names.get(baseName(image.replace(/@.*$/, "").replace(/:[^/]*$/, "")));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
