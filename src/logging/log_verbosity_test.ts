import assert from "node:assert/strict";
import { Verbosity, VmoduleError } from "./log_verbosity.ts";

const category = ["server", "backend"];

Deno.test("at the original's default -v=4 state changes are logged, expected closes and packets are not", () => {
  const verbosity = new Verbosity(4, "");
  assert.ok(verbosity.logs(category, "info"));
  assert.ok(!verbosity.logs(category, "debug"));
  assert.ok(!verbosity.logs(category, "trace"));
  assert.equal(verbosity.lowestLevel, "info");
});

Deno.test("-v=5 shows debug, -v=6 trace, and warnings are shown at any -v", () => {
  assert.ok(new Verbosity(5, "").logs(category, "debug"));
  assert.equal(new Verbosity(5, "").lowestLevel, "debug");
  assert.ok(new Verbosity(6, "").logs(category, "trace"));
  assert.equal(new Verbosity(10, "").lowestLevel, "trace");
  const quiet = new Verbosity(-1, "");
  assert.ok(!quiet.logs(category, "info"));
  assert.ok(quiet.logs(category, "warning"));
  assert.equal(quiet.lowestLevel, "warning");
});

Deno.test("--vmodule raises the verbosity of the categories that its patterns fit", () => {
  const cases: readonly (readonly [pattern: string, fits: boolean])[] = [
    ["backend", true],
    ["back*", true],
    ["b?ckend", true],
    ["server/*", true],
    ["server/backend", true],
    ["server", false],
    ["*/other", false],
    ["server*", false],
    ["agent/*", false],
    ["b.ckend", false],
  ];
  for (const [pattern, fits] of cases) {
    const verbosity = new Verbosity(0, `nothing=9,${pattern}=5`);
    assert.equal(verbosity.logs(category, "debug"), fits, pattern);
    assert.ok(!verbosity.logs(category, "trace"), pattern);
    assert.equal(verbosity.lowestLevel, "trace");
  }
});

Deno.test("--vmodule never logs less than -v, and its first fitting pattern counts", () => {
  assert.ok(new Verbosity(5, "backend=0").logs(category, "debug"));
  assert.ok(!new Verbosity(0, "backend=0,back*=9").logs(category, "debug"));
});

Deno.test("a --vmodule that is no list of pattern=N is refused", () => {
  for (const bad of ["backend", "=5", "backend=", "backend=x", "backend=-1", "a=1=2", "a=1,b"]) {
    assert.throws(() => new Verbosity(0, bad), VmoduleError, bad);
  }
  assert.throws(() => new Verbosity(0, `${"a".repeat(100_000)}=5`), VmoduleError);
});
