import assert from "node:assert/strict";
import { engineFlags } from "./engine_flags.ts";

Deno.test("launchers and tasks start programs with the same flags of the engine as all others", async () => {
  for (const file of ["tools/launch.sh", "deno.json"]) {
    const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
    assert.deepEqual(text.match(/--v8-flags=[\w,=-]+/g), [engineFlags], file);
  }
});
