/**
 * Konnectivity for Deno: every program behind one entry point, `main.ts PROGRAM [flags]`. Each program's code is loaded
 * only when it is asked for.
 * @module
 */
import { programNames, runProgram } from "./src/programs/programs.ts";
import { print } from "./src/programs/terminal.ts";
import { workerName } from "./src/programs/server/workers/worker_name.ts";

if (Reflect.get(globalThis, "name") === workerName) {
  const { runServerWorker } = await import("./src/programs/server/workers/worker_main.ts");
  runServerWorker();
} else if (import.meta.main) {
  const [program, ...args] = Deno.args;
  if (program === undefined || program === "help" || program === "--help" || program === "-h") {
    print(
      `usage: main.ts PROGRAM [flags]\n\nprograms: ${
        programNames.join(", ")
      }\n\nmain.ts PROGRAM --help explains a program's flags.`,
    );
    Deno.exit(program === undefined ? 1 : 0);
  }
  Deno.exit(await runProgram(program, args));
}
