import assert from "node:assert/strict";
import { Launched, type LaunchOptions } from "../support/processes/launched.ts";
import { listeningPorts } from "../support/processes/listening_ports.ts";
import { httpGet, type Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/** Where the runtime opens its inspector at SIGUSR1. */
const inspectorPort = 9229;
const notice = /SIGUSR1: it asks the runtime for its inspector, which stays shut/;

/** Sends SIGUSR1 again and again, and sees that nothing listens, that it is logged, and that the program serves. */
export async function signalled(program: Program, healthPort: number, path: string): Promise<void> {
  const ports = await listeningPorts(program.pid);
  assert.ok(ports.includes(healthPort), `${healthPort} is among ${ports}`);
  for (let round = 0; round < 10; round++) {
    program.signal("SIGUSR1");
    // What the program answers now, it answers after the signal.
    assert.equal((await httpGet(healthPort, path)).status, 200, program.log);
    await until("nothing listens but what did", async () => {
      assert.equal(program.status, undefined, program.log);
      return (await listeningPorts(program.pid)).join() === ports.join();
    });
  }
  await until("it is logged", () => notice.test(program.log));
  assert.ok(!(await listeningPorts(program.pid)).includes(inspectorPort));
}

/** How long after the start the runtime looks out for the signal, in milliseconds, and some more. */
export const runtimeListensMs = 1_000;

/** A server and its agent outlive SIGUSR1, and the runtime's inspector stays shut. */
export async function outlivesSignal(options: LaunchOptions): Promise<void> {
  await using launched = await Launched.start("connect-uds", options);
  // Before that the runtime would not open it anyway, and the test would show nothing.
  await new Promise((resolve) => setTimeout(resolve, runtimeListensMs));
  await signalled(launched.server.program, launched.server.healthPort, "/healthz");
  await signalled(launched.agent.program, launched.agent.healthPort, "/healthz");
}
