import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { Program } from "../../tests/support/processes/processes.ts";
import { until } from "../../tests/support/assert/until.ts";

// In a process of its own: the test runner ends on SIGINT itself. Its clock stands still until SIGUSR2 moves it.
const script = `
  import { endingSignals } from ${JSON.stringify(import.meta.resolve("./signals.ts"))};
  let clock = 0;
  const signals = endingSignals(() => clock);
  signals.first.then((signal) => console.log("first", signal));
  signals.second.then((signal) => console.log("second", signal));
  let interrupts = 0;
  Deno.addSignalListener("SIGINT", () => console.log("interrupt", ++interrupts));
  Deno.addSignalListener("SIGUSR2", () => console.log("moved", clock += 400));
  setInterval(() => {}, 1000);
  console.log("ready");
`;

async function listener(): Promise<Program & { until(line: string): Promise<void> }> {
  const program = new Program("listener", [Deno.execPath(), "eval", script]);
  const lines = { until: (line: string) => until(line, () => program.log.split("\n").includes(line)).then(() => {}) };
  const listener = Object.assign(program, lines);
  await listener.until("ready");
  return listener;
}

leakTest("the first and the second signal that end a program are told apart", async () => {
  const program = await listener();
  program.signal("SIGTERM");
  await program.until("first SIGTERM");
  program.signal("SIGINT");
  await program.until("second SIGINT");
  program.signal("SIGKILL");
  await program.stop();
});

leakTest("one Ctrl-C that arrives twice counts once, a second one counts", async () => {
  const program = await listener();
  program.signal("SIGINT");
  await program.until("first SIGINT");
  program.signal("SIGINT");
  await program.until("interrupt 2");
  program.signal("SIGUSR2");
  await program.until("moved 400");
  assert.ok(!program.log.includes("second"), program.log);
  program.signal("SIGINT");
  await program.until("second SIGINT");
  program.signal("SIGKILL");
  await program.stop();
});
