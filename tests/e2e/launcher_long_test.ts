import assert from "node:assert/strict";
import { freePort } from "../support/processes/free_port.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { built, removeBuilt, serve } from "../support/processes/built_launchers.ts";
import { grantsItselfAlone, hostileNames } from "./hostile_paths.ts";

Deno.test.afterAll(removeBuilt);

leakTest("SIGINT to a launcher ends its program in order and leaves nothing", async () => {
  const folder = await built();
  const program = await serve(`${folder}/bin/http-test-server`, await freePort());
  program.signal("SIGINT");
  assert.equal((await program.ended).code, 0, program.log);
  await program.stop();
  assert.deepEqual(await processesWith(folder), []);
});

leakTest("a path reaches the program as it is and grants itself alone, whatever signs are in it", async () => {
  await grantsItselfAlone(hostileNames.slice(4));
});

leakTest("SIGINT to deno task ends the program that it runs, with the program's exit code", async () => {
  const port = await freePort();
  const task = new Program("task", [Deno.execPath(), "task", "-q", "test-server", `--server-port=${port}`]);
  await until("it answers", async () => {
    assert.equal(task.status, undefined, task.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  task.signal("SIGINT");
  assert.equal((await task.ended).code, 0, task.log);
  await task.stop();
  assert.deepEqual(await processesWith(`--server-port=${port}`), []);
});
