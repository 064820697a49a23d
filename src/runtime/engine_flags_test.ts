import assert from "node:assert/strict";
import { engineFlags, frugalBelowBytes, frugalEngineFlags } from "./engine_flags.ts";

async function flagsIn(file: string): Promise<string[] | null> {
  const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
  // Beside those of programs, one that tells why the engine does not start, and those of simulated fleets.
  const others = ["--v8-flags=--jitless", "--v8-flags=--min-semi-space-size=32"];
  return text.match(/--v8-flags=[\w,=-]+/g)?.filter((flags) => !others.includes(flags)) ?? null;
}

Deno.test("launchers and tasks start programs with the same flags of the engine as all others", async () => {
  assert.deepEqual(await flagsIn("tools/launch.sh"), [engineFlags, frugalEngineFlags]);
  assert.deepEqual(await flagsIn("deno.json"), [engineFlags]);
});

Deno.test("the launcher takes the frugal flags below the same limit as is said here", async () => {
  const launcher = await Deno.readTextFile(new URL("../../tools/launch.sh", import.meta.url));
  assert.ok(launcher.includes(`-lt ${frugalBelowBytes} `));
});
