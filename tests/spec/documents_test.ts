import assert from "node:assert/strict";
import { testFaults } from "../../tools/check_docs.ts";

const file = `Deno.test("a stranger is refused", () => {});
leakTest(\`\${kind}: SIGUSR1 does nothing\`, () => {});
`;
const read = (path: string) => path === "tests/edge_test.ts" ? file : undefined;
const faults = (text: string) => testFaults("docs/security.md", text, read);

Deno.test("a document may name tests that there are, over the ends of lines and in tables", () => {
  assert.deepEqual(
    faults('Shown by `tests/edge_test.ts`, "a stranger\nis refused" and "…: SIGUSR1 does nothing".'),
    [],
  );
  assert.deepEqual(faults('| `tests/edge_test.ts`: "a stranger is refused" | \n'), []);
  assert.deepEqual(faults("`tests/edge_test.ts` as a whole"), []);
});

Deno.test("a document that names a test or a file of tests that there is not is at fault", () => {
  assert.deepEqual(faults('`tests/edge_test.ts`, "a stranger is let in"'), [
    'docs/security.md: tests/edge_test.ts has no test "a stranger is let in"',
  ]);
  assert.deepEqual(faults("`src/gone_test.ts`"), ["docs/security.md: src/gone_test.ts, which does not exist"]);
});
