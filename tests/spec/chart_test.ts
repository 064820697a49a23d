import assert from "node:assert/strict";
import { chartSchema, chartValues, writtenFiles } from "../../tools/chart.ts";

Deno.test("what exists in more than one form is fresh: alerts, the chart's values, files and versions", async () => {
  const files = await writtenFiles();
  assert.ok(files.size >= 5);
  for (const [path, text] of files) {
    assert.equal(await Deno.readTextFile(new URL(`../../${path}`, import.meta.url)), text, `${path}: deno task chart`);
  }
});

Deno.test("every value of the chart has a description, a default and a type, and no object takes others", async () => {
  const values = chartValues(await chartSchema());
  assert.ok(values.length > 60);
  for (const { path, type, description } of values) {
    assert.notEqual(type, "", path);
    assert.match(description, /\.$/, path);
  }
  const open: string[] = [];
  const walk = (schema: unknown, path: string) => {
    if (typeof schema !== "object" || schema === null) return;
    if ("properties" in schema && !("additionalProperties" in schema)) open.push(path);
    for (const [name, part] of Object.entries("properties" in schema ? schema.properties ?? {} : {})) {
      walk(part, `${path}.${name}`);
    }
  };
  walk(await chartSchema(), "");
  assert.deepEqual(open, []);
});

Deno.test("a value without a description or a default is noticed", () => {
  assert.throws(() => chartValues({ properties: { a: { type: "string", default: "" } } }), /a has no description/);
  assert.throws(
    () => chartValues({ properties: { a: { properties: { b: { description: "B." } }, description: "A." } } }),
    /a\.b has no default/,
  );
});
