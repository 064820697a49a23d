import { type Run, runChecked } from "../run_program.ts";

/** proxy-test-client. */
export const runTestClientProgram: Run = async (args) => {
  const { parseTestClientFlags } = await import("../test/test_client_flags.ts");
  const { validateTestClientOptions } = await import("../test/test_validation.ts");
  return await runChecked(
    "proxy-test-client",
    parseTestClientFlags(args),
    validateTestClientOptions,
    async (options) => {
      const { runTestClient } = await import("../test/test_client.ts");
      return await runTestClient(options);
    },
  );
};

/** http-test-server. */
export const runTestServerProgram: Run = async (args) => {
  const { parseTestServerFlags } = await import("../test/test_server_flags.ts");
  const { validateTestServerOptions } = await import("../test/test_validation.ts");
  return await runChecked(
    "http-test-server",
    parseTestServerFlags(args),
    validateTestServerOptions,
    async (options) => {
      const { runTestServer } = await import("../test/test_server.ts");
      return await runTestServer(options);
    },
  );
};
