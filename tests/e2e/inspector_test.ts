import assert from "node:assert/strict";
import { builtProject } from "../support/processes/built_project.ts";
import { freePort } from "../support/processes/free_port.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { outlivesSignal, runtimeListensMs, signalled } from "./shut_inspector.ts";

leakTest("a server and its agent outlive SIGUSR1, and the runtime's inspector stays shut", () => outlivesSignal({}));

leakTest("http-test-server outlives SIGUSR1, and the runtime's inspector stays shut", async () => {
  const port = await freePort();
  await using program = new Program("http-test-server", [
    `${await builtProject()}/bin/http-test-server`,
    `--server-port=${port}`,
  ]);
  await until("it answers", async () => {
    assert.equal(program.status, undefined, program.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  await new Promise((resolve) => setTimeout(resolve, runtimeListensMs));
  await signalled(program, port, "/success");
});
