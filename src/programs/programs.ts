import { answer, type Run, runChecked, runOneOf } from "./run_program.ts";
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
    const { parseTestClientFlags } = await import("./test/test_client_flags.ts");
    const { validateTestClientOptions } = await import("./test/test_validation.ts");
    return await runChecked(
      "proxy-test-client",
      parseTestClientFlags(args),
      validateTestClientOptions,
      async (options) => {
        const { runTestClient } = await import("./test/test_client.ts");
        return await runTestClient(options);
      },
    );
  }],
  ["test-server", async (args) => {
    const { parseTestServerFlags } = await import("./test/test_server_flags.ts");
    const { validateTestServerOptions } = await import("./test/test_validation.ts");
    return await runChecked(
      "http-test-server",
      parseTestServerFlags(args),
      validateTestServerOptions,
      async (options) => {
        const { runTestServer } = await import("./test/test_server.ts");
        return await runTestServer(options);
      },
    );
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
