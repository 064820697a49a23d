import { env, type Run, runChecked } from "../run_program.ts";

/** proxy-agent. */
export const runAgentProgram: Run = async (args) => {
  const { parseAgentFlags } = await import("../agent/agent_flags.ts");
  const { validateAgentOptions } = await import("../agent/agent_validation.ts");
  return await runChecked("proxy-agent", parseAgentFlags(args, env), validateAgentOptions, async (options) => {
    const { runAgent } = await import("../agent/run.ts");
    return await runAgent(options);
  });
};
