import assert from "node:assert/strict";
import { distributions } from "./distributions.ts";
import { fieldTable, withFieldTable } from "./field_table.ts";

/** The list of command lines that the corpus was made from: 24 of servers, 19 of agents, and one of what reads metrics. */
const rows = [
  ...Array.from({ length: 24 }, (_, at) => `S${at + 1}`),
  ...Array.from({ length: 19 }, (_, at) => `A${at + 1}`),
  "AKS load exporter",
];

Deno.test("every command line of the list is in the corpus, and every case is named once", () => {
  const known = new Set(distributions.flatMap((field) => field.rows));
  assert.deepEqual([...known].sort(), [...rows].sort());
  const names = distributions.map(({ distribution }) => distribution);
  assert.equal(new Set(names).size, names.length);
});

Deno.test("what ours refuses and the original runs has an edit, as arguments and in words; what both refuse has none", () => {
  for (const { distribution, refusal, edit } of distributions) {
    if (refusal === undefined) continue;
    assert.equal(refusal.edit !== undefined, refusal.original === "runs", distribution);
    assert.equal(edit !== undefined, refusal.original === "runs", distribution);
  }
});

Deno.test("the table of docs/distributions.md is the corpus", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/distributions.md", import.meta.url));
  assert.equal(text, withFieldTable(text), "it is stale: deno run -A tests/field/field_table.ts");
  const table = fieldTable().split("\n");
  assert.equal(table.length, distributions.length + 2);
});
