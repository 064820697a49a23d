import assert from "node:assert/strict";
import { coverageOf } from "./coverage.ts";
import { specLines } from "./lines.ts";
import { taggedTests, testsIn } from "./tagged_tests.ts";

Deno.test("every line of what the original does, and does wrong, has a test, and every tag names a line", async () => {
  const { missing, strays } = coverageOf(specLines, await taggedTests());
  assert.deepEqual(missing.map(({ tag, claim }) => `[${tag}] ${claim}`), []);
  assert.deepEqual(strays.map(({ tag, test }) => `[${tag}] in ${test.file}: ${test.title}`), []);
});

Deno.test("tags are unique, and what is excused has a reason", () => {
  assert.equal(new Set(specLines.map(({ tag }) => tag)).size, specLines.length);
  for (const { tag, claim, notHere } of specLines) {
    assert.ok(claim !== "", tag);
    assert.ok(notHere === undefined || notHere.length > 20, tag);
  }
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
  const { missing, strays } = coverageOf(lines, tests);
  assert.deepEqual(missing.map(({ tag }) => tag), ["server W2"]);
  assert.deepEqual(strays.map(({ tag }) => tag), ["server W9", "server 4.99"]);
});
