import { answer, type Run, runOneOf } from "./run_program.ts";
import { print, printError } from "./terminal.ts";
import { versionText } from "./version.ts";

/** Each program loads its own code only. */
const programs: ReadonlyMap<string, Run> = new Map<string, Run>([
  ["server", async (args) => {
    const { runServerProgram } = await import("./roles/server_program.ts");
    return await runServerProgram(args);
  }],
  ["agent", async (args) => {
    const { runAgentProgram } = await import("./roles/agent_program.ts");
    return await runAgentProgram(args);
  }],
  ["test-client", async (args) => {
    const { runTestClientProgram } = await import("./roles/test_programs.ts");
    return await runTestClientProgram(args);
  }],
  ["test-server", async (args) => {
    const { runTestServerProgram } = await import("./roles/test_programs.ts");
    return await runTestServerProgram(args);
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

/** Runs one program by its name. @returns its exit code; 1 with a message for a name that is none */
export async function runProgram(name: string, args: readonly string[]): Promise<number> {
  return await runOneOf(programs, name, args);
}
