import { getLogger } from "@logtape/logtape";
import { guardInspector } from "../runtime/inspector_guard.ts";
import { type ParsedFlags, refusalText } from "../flags/program.ts";
import type { Validation } from "../flags/validation.ts";
import type { LoggingSettings } from "../logging/logging_settings.ts";
import { print, printError } from "./terminal.ts";
import { versionText } from "./version.ts";

const log = getLogger(["cli"]);

/** The `-v` from which on a program logs its options. */
const optionsVerbosity = 1;

/** Runs one program to its end and returns its exit code. */
type Run = (args: readonly string[]) => Promise<number>;

/** Each program loads its own code only. */
const programs: ReadonlyMap<string, Run> = new Map<string, Run>([
  ["server", async (args) => {
    const { parseServerFlags } = await import("./server/server_flags.ts");
    const { validateServerOptions } = await import("./server/server_validation.ts");
    return await run("proxy-server", parseServerFlags(args, env), validateServerOptions, async (options) => {
      if (options.workers > 1) {
        const { runWorkers } = await import("./server/workers/workers.ts");
        return await runWorkers(options);
      }
      const { runServer } = await import("./server/run.ts");
      return await runServer(options);
    });
  }],
  ["agent", async (args) => {
    const { parseAgentFlags } = await import("./agent/agent_flags.ts");
    const { validateAgentOptions } = await import("./agent/agent_validation.ts");
    return await run("proxy-agent", parseAgentFlags(args, env), validateAgentOptions, async (options) => {
      const { runAgent } = await import("./agent/run.ts");
      return await runAgent(options);
    });
  }],
  ["test-client", async (args) => {
    const { parseTestClientFlags } = await import("./test/test_client_flags.ts");
    const { validateTestClientOptions } = await import("./test/test_validation.ts");
    return await run("proxy-test-client", parseTestClientFlags(args), validateTestClientOptions, async (options) => {
      const { runTestClient } = await import("./test/test_client.ts");
      return await runTestClient(options);
    });
  }],
  ["test-server", async (args) => {
    const { parseTestServerFlags } = await import("./test/test_server_flags.ts");
    const { validateTestServerOptions } = await import("./test/test_validation.ts");
    return await run("http-test-server", parseTestServerFlags(args), validateTestServerOptions, async (options) => {
      const { runTestServer } = await import("./test/test_server.ts");
      return await runTestServer(options);
    });
  }],
  ["certs", async (args) => {
    const { parseCertsFlags } = await import("./certs/certs_flags.ts");
    return await answer("certs", parseCertsFlags(args), async (options) => {
      const { runCerts } = await import("./certs/run_certs.ts");
      return await runCerts(options, { out: print, err: printError });
    });
  }],
  ["demo", async (args) => {
    const { parseDemoFlags } = await import("./demo/demo_flags.ts");
    return await answer("demo", parseDemoFlags(args), async (options) => {
      const { runDemo } = await import("./demo/run_demo.ts");
      return await runDemo(options, { out: print, err: printError });
    });
  }],
  ["permissions", async (args) => {
    const { runPermissionsCommand } = await import("./permissions/permissions_command.ts");
    return await runPermissionsCommand(args);
  }],
  ["konnectivity", async (args) => {
    const { parseKonnectivityFlags } = await import("./konnectivity/konnectivity_flags.ts");
    return await answer("konnectivity", parseKonnectivityFlags(args), async (options) => {
      const { runKonnectivity } = await import("./konnectivity/run_konnectivity.ts");
      return await runKonnectivity(options, { out: print, err: printError });
    });
  }],
  ["version", () => {
    print(versionText("konnectivity"));
    return Promise.resolve(0);
  }],
]);

/** The names that {@link runProgram} knows. */
export const programNames: readonly string[] = [...programs.keys()];

/** Runs a program by its name. @returns its exit code; 1 with a message for a name that is none */
export async function runProgram(name: string, args: readonly string[]): Promise<number> {
  const program = programs.get(name);
  using _inspector = guardInspector(() => log.warn("SIGUSR1: it asks the runtime for its inspector, which stays shut"));
  if (program !== undefined) return await program(args);
  printError(`Error: unknown program ${JSON.stringify(name)}; choose one of: ${programNames.join(", ")}`);
  return 1;
}

function env(name: string): string | undefined {
  return Deno.env.get(name);
}

/** Answers --help and --version, refuses a bad command line, or goes on with the options. */
async function answer<Options>(
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
async function run<Options extends { readonly logging: LoggingSettings }>(
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
