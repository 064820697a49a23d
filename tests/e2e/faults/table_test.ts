import assert from "node:assert/strict";
import { withFaultTable } from "./fault_document.ts";
import { faults } from "./fault_table.ts";

const root = new URL("../../../", import.meta.url);
const folder = "tests/e2e/faults/";

Deno.test("docs/faults.md shows the table", async () => {
  const text = await Deno.readTextFile(new URL("docs/faults.md", root));
  assert.equal(text, withFaultTable(text), "it is stale: deno task faults");
});

Deno.test("each fault has a test that there is, and each test of a fault has its row", async () => {
  const registered = new Map<string, string>();
  for await (const { name } of Deno.readDir(new URL(folder, root))) {
    if (!name.endsWith("_test.ts")) continue;
    const text = await Deno.readTextFile(new URL(folder + name, root));
    for (const [, fault = ""] of text.matchAll(/^faultTest\(\s*"([^"]+)"/gm)) registered.set(fault, folder + name);
  }
  for (const [fault, file] of registered) {
    assert.deepEqual(faults[fault]?.shownBy, [{ file }], `${fault}, which ${file} tests`);
  }
  for (const [fault, { process, promise, shownBy }] of Object.entries(faults)) {
    assert.ok(process !== "" && promise !== "" && shownBy.length > 0, fault);
    for (const { file, title } of shownBy) {
      assert.ok(title !== undefined || registered.get(fault) === file, `${file} has no test "${fault}"`);
    }
  }
});
