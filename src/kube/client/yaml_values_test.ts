import assert from "node:assert/strict";
import process from "node:process";
import { YamlError, yamlValue, yamlValues } from "../access/yaml_values.ts";

Deno.test("each document is a value, and nothing is none", () => {
  assert.deepEqual(yamlValues("a: 1\n---\n- x\n"), [{ a: 1 }, ["x"]]);
  assert.deepEqual(yamlValues(""), []);
  assert.equal(yamlValue(""), undefined);
  assert.deepEqual(yamlValue('{"a": [null, true]}'), { a: [null, true] });
  assert.throws(() => yamlValue("a: 1\n---\nb: 2\n"), YamlError);
});

Deno.test("what is no YAML is refused with its line's number, and without the line", () => {
  assert.throws(() => yamlValue("a: 1\ntoken: [s3cret\n"), (error) => {
    assert.ok(error instanceof YamlError);
    assert.match(error.message, /^error at line \d+ \([A-Z_]+\)$/);
    return true;
  });
});

Deno.test("aliases of nothing, of themselves and without a bound are refused", () => {
  const lists = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (const [at, name] of [..."bcdefg"].entries()) {
    const before = `*${"abcdef"[at]}`;
    lists.push(`${name}: &${name} [${Array(9).fill(before).join()}]`);
  }
  for (const text of ["a: *nobody", "a: &a [*a]", lists.join("\n")]) {
    assert.throws(() => yamlValue(text), YamlError, text);
  }
});

Deno.test("nothing of the text comes into the process's warnings", async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.message);
  process.on("warning", onWarning);
  try {
    // A tag that nobody knows, an anchor that is ambiguous, and a key that is a list.
    for (const text of ["token: !secret s3cret\n", "a: &token: s3cret\n", "? [s3cret]\n: b\n"]) {
      try {
        yamlValue(text);
      } catch (error) {
        assert.ok(error instanceof YamlError);
      }
    }
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(warnings, []);
  } finally {
    process.removeListener("warning", onWarning);
  }
});
