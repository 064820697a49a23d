import assert from "node:assert/strict";
import { anchorFaults, anchorsOf, testFaults } from "../../tools/check_docs.ts";

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

Deno.test("a link to a chapter that there is not is a fault, in the same document and in another one", () => {
  const others = new Map([["SECURITY.md", "# Security\n\n## Who is `trusted`, and how?\n\n```sh\n# none\n```\n"]]);
  assert.deepEqual([...anchorsOf(others.get("SECURITY.md") ?? "")], ["security", "who-is-trusted-and-how"]);
  const text =
    "## Here\n[a](#here) [b](../SECURITY.md#who-is-trusted-and-how) [c](gone.md#x) [d](https://a.example/#y)\n";
  const found = (more: string) => anchorFaults("docs/a.md", text + more, (path) => others.get(path));
  assert.deepEqual(found(""), []);
  assert.deepEqual(found("[e](#there) [f](../SECURITY.md#none)"), [
    "docs/a.md: link to #there, which is no chapter",
    "docs/a.md: link to ../SECURITY.md#none, which is no chapter",
  ]);
});

Deno.test("docs/migration.md leads from its table of differences to each chapter on one, and to those of the reference", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  const migration = await read("docs/migration.md");
  const [, table = "", behind = ""] = /^### Every difference\n([^]*?)^(## [^]*)/m.exec(migration) ?? [];
  const chapters = [...behind.matchAll(/^## .*/gm)].flatMap(([heading]) => [...anchorsOf(heading)]);
  assert.ok(chapters.length > 4);
  const others = [...anchorsOf(await read("docs/reference.md"))].filter((anchor) => anchor.endsWith("-on-purpose"));
  assert.equal(others.length, 2);
  for (const chapter of chapters) assert.ok(table.includes(`(#${chapter})`), chapter);
  for (const chapter of others) assert.ok(table.includes(`(reference.md#${chapter})`), chapter);
});
