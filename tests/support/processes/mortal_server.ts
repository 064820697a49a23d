/**
 * The programs, but for workers of a server: they die when there is a file beside the frontend's Unix socket, of its name
 * with `.death` behind it.
 * @module
 */
import { runProgram } from "../../../src/programs/programs.ts";
import { runServerWorker } from "../../../src/programs/server/workers/worker_main.ts";
import { workerName } from "../../../src/programs/server/workers/worker_name.ts";
import type { ToWorker } from "../../../src/programs/server/workers/worker_messages.ts";

if (Reflect.get(globalThis, "name") === workerName) {
  addEventListener("message", (event) => {
    const { data } = event as MessageEvent<ToWorker>;
    if (data.kind === "start") dieWith(`${data.options.udsName}.death`);
  });
  runServerWorker();
} else {
  const [program = "", ...args] = Deno.args;
  Deno.exit(await runProgram(program, args));
}

function dieWith(path: string): void {
  setInterval(() => {
    try {
      Deno.lstatSync(path);
    } catch {
      return;
    }
    throw new Error("it dies");
  }, 10);
}
