import { env, type Run, runChecked } from "../run_program.ts";

/** proxy-server. */
export const runServerProgram: Run = async (args) => {
  const { parseServerFlags } = await import("../server/server_flags.ts");
  const { validateServerOptions } = await import("../server/server_validation.ts");
  return await runChecked("proxy-server", parseServerFlags(args, env), validateServerOptions, async (options) => {
    if (options.workers > 1) {
      const { runWorkers } = await import("../server/workers/workers.ts");
      return await runWorkers(options);
    }
    const { runServer } = await import("../server/run.ts");
    return await runServer(options);
  });
};
