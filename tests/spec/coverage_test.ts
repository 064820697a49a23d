import assert from "node:assert/strict";
import { coverageOf } from "./coverage.ts";
import { specification, specificationIn } from "./specification.ts";
import { taggedTests, testsIn } from "./tagged_tests.ts";

Deno.test("every line of what the original does, and does wrong, has a test, and every tag names a line", async () => {
  const { missing, strays } = coverageOf(await specification(), await taggedTests());
  assert.deepEqual(missing.map(({ tag, claim }) => `[${tag}] ${claim}`), []);
  assert.deepEqual(strays.map(({ tag, test }) => `[${tag}] in ${test.file}: ${test.title}`), []);
});

Deno.test("tags are unique and numbered without gaps, and what is excused has a reason", async () => {
  const { lines, sections } = await specification();
  const tags = new Set(lines.map(({ tag }) => tag));
  assert.equal(tags.size, lines.length);
  for (const { tag, claim, notHere } of lines) {
    assert.ok(claim !== "" && !sections.has(tag), tag);
    assert.ok(notHere === undefined || notHere.length > 20, tag);
    const [, group = "", number] = /^(.*?)(\d+)$/.exec(tag) ?? assert.fail(tag);
    assert.ok(number === "1" || tags.has(`${group}${Number(number) - 1}`), `what is before ${tag}?`);
  }
});

Deno.test("lines and sections are read from chapters, over the ends of lines", () => {
  const { lines, sections } = specificationIn([
    "## Leases [server 9] [server 13.6]",
    "- [server 13.6-1] a lease that is",
    "  --named- is kept",
    "  - the original: so does it,",
    "    mostly",
    "- [server 13.6-2] figures",
    "  - the original: has some",
    "  - does not apply: they are",
    "    measured elsewhere",
    "- no [server 13.6-3] line",
    "",
    "### No section (server 10)",
  ].join("\n"));
  assert.deepEqual(lines, [
    { tag: "server 13.6-1", claim: "a lease that is --named- is kept" },
    { tag: "server 13.6-2", claim: "figures", notHere: "they are measured elsewhere" },
  ]);
  assert.deepEqual([...sections], [["server 9", "Leases"], ["server 13.6", "Leases"]]);
});

Deno.test("tags are found in titles of every spelling", () => {
  const source = [
    'Deno.test("[server W1] one", () => {});',
    "leakTest(`[agent 9-3] [pains a-2] ${kind}: two`, () => {});",
    '  "echo": "[server 13.7-3..5] three",',
    'Deno.test("[client 1.7-2] says `no`", () => {});',
    'Deno.test("four [server W2]", () => {});',
  ].join("\n");
  const tests = testsIn("a_test.ts", source);
  assert.deepEqual(tests.map(({ tags }) => tags), [
    ["server W1"],
    ["agent 9-3", "pains a-2"],
    ["server 13.7-3", "server 13.7-4", "server 13.7-5"],
    ["client 1.7-2"],
  ]);
  assert.deepEqual(tests.map(({ title }) => title), ["one", "${kind}: two", "three", "says `no`"]);
});

Deno.test("a line without a test and a tag without a line are told", () => {
  const lines = [{ tag: "server W1", claim: "a" }, { tag: "server W2", claim: "b" }, {
    tag: "server W3",
    claim: "c",
    notHere: "d",
  }];
  const tests = testsIn(
    "a_test.ts",
    '"[server W1] x", "[server W9] y", "[server 4.4] z", "[server 4.99] z", "[x y] w"',
  );
  const { shown, missing, strays } = coverageOf({ lines, sections: new Map([["server 4.4", "e"]]) }, tests);
  assert.deepEqual([...shown].map(([tag, of]) => `${tag}: ${of.length}`), [
    "server W1: 1",
    "server W2: 0",
    "server W3: 0",
    "server 4.4: 1",
  ]);
  assert.deepEqual(missing.map(({ tag }) => tag), ["server W2"]);
  assert.deepEqual(strays.map(({ tag }) => tag), ["server W9", "server 4.99"]);
});

Deno.test("a tag that stands twice is an error, for a line and for a section", () => {
  assert.throws(() => specificationIn("- [server 1] a\n\n- [server 1] b\n"), /two lines have the tag \[server 1\]/);
  assert.throws(
    () => specificationIn("## A [server 2]\n\n## B [server 2]\n"),
    /two sections have the tag \[server 2\]/,
  );
});
