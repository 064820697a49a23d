import assert from "node:assert/strict";
import { root } from "../../tools/binaries.ts";
import { noStubCode } from "../../tools/compile.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { writeStubShape } from "../support/processes/compiled_program.ts";
import { compileInto, namesIn, run, temporaryFolder } from "./compiling.ts";

leakTest("without the runtime's stub nothing is compiled, what was there stays, and what to do is said", async () => {
  await using temporary = await temporaryFolder();
  const folder = temporary.path;
  await Deno.mkdir(`${folder}/bin`);
  await Deno.writeTextFile(`${folder}/bin/proxy-server`, "a launcher");
  const missing = await compileInto(folder, "/no/such/denort");
  assert.equal(missing.code, noStubCode, missing.stderr);
  assert.match(missing.stderr, /Could not find denort at '\/no\/such\/denort'/);
  assert.match(missing.stderr, /^Error: deno compile needs the runtime stub "denort"/m);
  assert.match(missing.stderr, /"deno task build" makes launchers/);
  await Deno.writeTextFile(`${folder}/text`, "no program");
  const unusable = await compileInto(folder, `${folder}/text`);
  assert.equal(unusable.code, noStubCode, unusable.stderr);
  assert.match(unusable.stderr, /^Error: what DENORT_BIN names is no program that deno compile can add to\./m);
  assert.equal(missing.stdout + unusable.stdout, "");
  assert.deepEqual(await namesIn(`${folder}/bin`), ["proxy-server"]);
  assert.equal(await Deno.readTextFile(`${folder}/bin/proxy-server`), "a launcher");
});

leakTest("deno compile takes main.ts as it is, with all packages", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await writeStubShape(`${path}/stub`);
  const flags = ["--quiet", "--no-check", `--config=${root}/deno.json`, `--output=${path}/program`];
  const command = [Deno.execPath(), "compile", ...flags, `${root}/main.ts`];
  const { code, signal, stderr } = await run(command, { DENORT_BIN: `${path}/stub` });
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
  const { size } = await Deno.stat(`${path}/program`);
  assert.ok(size > 1_000_000, `${size} bytes`);
});
