import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { built, removeBuilt, run } from "../support/processes/built_launchers.ts";

Deno.test.afterAll(removeBuilt);

leakTest("the bundle holds everything: the demo passes through it", async () => {
  const folder = await built();
  const bundle = `${folder}/dist/konnectivity.js`;
  const certs = `${folder}/certs`;
  const demo = await run([Deno.execPath(), "run", "-A", "--no-config", bundle, "demo", `--certs=${certs}`]);
  assert.equal(demo.code, 0, demo.stderr);
  assert.equal(demo.stdout.match(/ 200 +\d+$/gm)?.length, 4, demo.stdout);
  assert.deepEqual(await processesWith(folder), []);
});
