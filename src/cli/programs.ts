import { refusalText } from "./program.ts";
import { versionText } from "./version.ts";

/** Runs one program to its end and returns its exit code. */
type Run = (args: readonly string[]) => Promise<number>;

const env = (name: string) => Deno.env.get(name);

const programs: Readonly<Record<string, Run>> = {
  server: async (args) => {
    const { parseServerFlags } = await import("./server_flags.ts");
    return await run("proxy-server", parseServerFlags(args, env), async (options) => {
      const { runServer } = await import("./server.ts");
      return await runServer(options);
    });
  },
  version: (_args) => {
    console.log(versionText("konnectivity"));
    return Promise.resolve(0);
  },
};

/** The names that {@link runProgram} knows. */
export const programNames: readonly string[] = Object.keys(programs);

/** Runs a program by its name. @returns its exit code; 1 with a message for a name that is none */
export async function runProgram(name: string, args: readonly string[]): Promise<number> {
  const program = programs[name];
  if (program === undefined || !programNames.includes(name)) {
    console.error(`Error: unknown program ${JSON.stringify(name)}; choose one of: ${programNames.join(", ")}`);
    return 1;
  }
  return await program(args);
}

/** Answers --help and --version, refuses a bad command line, or runs the program. */
async function run<Options>(
  name: string,
  parsed: import("./program.ts").ParsedFlags<Options>,
  start: (options: Options) => Promise<number>,
): Promise<number> {
  switch (parsed.kind) {
    case "help":
      console.log(parsed.text.trimEnd());
      return 0;
    case "version":
      console.log(versionText(name));
      return 0;
    case "error":
      for (const notice of parsed.notices) console.error(notice);
      console.error(refusalText(parsed.message, parsed.usage).trimEnd());
      return 1;
    case "options":
      for (const notice of parsed.notices) console.error(notice);
      return await start(parsed.options);
  }
}
