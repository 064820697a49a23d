import { getLogger } from "@logtape/logtape";
import { type ParsedFlags, refusalText } from "../flags/program.ts";
import type { Validation } from "../flags/validation.ts";
import type { LoggingSettings } from "../logging/logging_settings.ts";
import { guardInspector } from "../runtime/inspector_guard.ts";
import { print, printError } from "./terminal.ts";
import { versionText } from "./version.ts";

const log = getLogger(["cli"]);

/** The `-v` from which on a program logs its options. */
const optionsVerbosity = 1;

/** Runs one program to its end and returns its exit code. */
export type Run = (args: readonly string[]) => Promise<number>;

/** Runs one of some programs by its name. @returns its exit code; 1 with a message for a name that is none */
export async function runOneOf(
  programs: ReadonlyMap<string, Run>,
  name: string,
  args: readonly string[],
): Promise<number> {
  const program = programs.get(name);
  using _inspector = guardInspector(() => log.warn("SIGUSR1: it asks the runtime for its inspector, which stays shut"));
  if (program !== undefined) return await program(args);
  printError(`Error: unknown program ${JSON.stringify(name)}; choose one of: ${[...programs.keys()].join(", ")}`);
  return 1;
}

/** A variable of this process's environment. */
export function env(name: string): string | undefined {
  return Deno.env.get(name);
}

/** Answers --help and --version, refuses a bad command line, or goes on with the options. */
export async function answer<Options>(
  name: string,
  parsed: ParsedFlags<Options>,
  start: (options: Options, refuse: (message: string) => number) => Promise<number>,
): Promise<number> {
  switch (parsed.kind) {
    case "help":
      print(parsed.text.trimEnd());
      return 0;
    case "version":
      print(versionText(name));
      return 0;
    case "error":
      for (const notice of parsed.notices) printError(notice);
      printError(refusalText(parsed.message, parsed.usage).trimEnd());
      return 1;
    case "options":
      for (const notice of parsed.notices) printError(notice);
      return await start(parsed.options, (message) => {
        printError(refusalText(message, `"${name} --help" explains each flag.\n`).trimEnd());
        return 1;
      });
  }
}

/** A program that logs and whose options are checked before it starts. */
export async function runChecked<Options extends { readonly logging: LoggingSettings }>(
  name: string,
  parsed: ParsedFlags<Options>,
  validate: (options: Options) => Validation | Promise<Validation>,
  start: (options: Options) => Promise<number>,
): Promise<number> {
  return await answer(name, parsed, async (options, refuse) => {
    const { configureLogging } = await import("../logging/logging.ts");
    const { LogFileError } = await import("../logging/log_file.ts");
    let logging: AsyncDisposable;
    try {
      logging = configureLogging(options.logging, { program: name });
    } catch (error) {
      if (!(error instanceof LogFileError)) throw error;
      return refuse(error.message);
    }
    await using _logging = logging;
    // As the original does: with its default of -v=4, and before they are checked.
    if (options.logging.verbosity >= optionsVerbosity) {
      log.info("options of {program}", { program: name, version: versionText(name), ...options });
    }
    const validation = await validate(options);
    if (validation.kind === "refused") return refuse(validation.message);
    for (const warning of validation.warnings) log.warn("{warning}", { warning });
    return await start(options);
  });
}
