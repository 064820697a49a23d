import assert from "node:assert/strict";
import { DynamicTable } from "./header_table.ts";

/** What a table holds, the newest first. */
function held(table: DynamicTable): string {
  const names: string[] = [];
  for (let at = 0;; at++) {
    const field = table.get(at);
    if (field === undefined) return names.join(" ");
    names.push(field[0]);
  }
}

Deno.test("a table holds the newest fields up to its size, each as long as its texts and 32 bytes", () => {
  const table = new DynamicTable(3 * 34);
  for (const name of ["a", "b", "c"]) table.add([name, "1"]);
  assert.equal(held(table), "c b a");
  table.add(["d", "1"]);
  assert.equal(held(table), "d c b");
  table.add(["e", "12"]);
  assert.equal(held(table), "e d", "a byte more");
  table.add(["f", "1".repeat(3 * 34 - 33)]);
  assert.equal(held(table), "f", "all there is room for");
  table.add(["g", "1"]);
  assert.equal(held(table), "g");
  table.add(["h", "1".repeat(3 * 34 - 32)]);
  assert.equal(held(table), "", "larger than the table");
  table.add(["i", "1"]);
  assert.equal(held(table), "i");
});

Deno.test("a table that is made smaller lets its oldest go, and has its room again when it is made larger", () => {
  const table = new DynamicTable(200);
  for (const name of ["a", "b", "c"]) table.add([name, "1"]);
  table.resize(68);
  assert.equal(held(table), "c b");
  table.resize(67);
  assert.equal(held(table), "c");
  table.resize(0);
  assert.equal(held(table), "");
  table.add(["d", "1"]);
  assert.equal(held(table), "");
  table.resize(34);
  table.add(["e", "1"]);
  assert.equal(held(table), "e");
});
