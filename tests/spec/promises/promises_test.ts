import assert from "node:assert/strict";
import { withPromiseTable } from "./promise_document.ts";
import { promisingDocuments } from "./promise_table.ts";

const root = new URL("../../../", import.meta.url);
const threatModel = await Deno.readTextFile(new URL("docs/security.md", root));
const namesTest = /`(?:src|tests)\/[\w./-]+_test\.ts`/;

/** Text as it is read: without the ends of its lines, and the blanks that the formatter puts into tables. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

/** The text of a chapter, down to the next one. @throws where there is none */
function chapterOf(text: string, title: string): string {
  const [, body] = `\n${text}`.split(`\n## ${title}\n`);
  assert.ok(body !== undefined, `there is no chapter "${title}"`);
  return body.split("\n## ")[0] ?? "";
}

/** Its paragraphs, list entries and tables. */
function blocksOf(chapter: string): string[] {
  return chapter.split(/\n\n|\n(?=- )/).map(plain).filter((block) => block !== "");
}

Deno.test("docs/security.md shows the table of promises", () => {
  assert.equal(threatModel, withPromiseTable(threatModel), "it is stale: deno task promises");
});

Deno.test("each promise of the threat model names its test", () => {
  const chapters = threatModel.split("\n## ").slice(1);
  const promising = chapters.filter((chapter) => chapter.includes("**Promised**"));
  assert.ok(promising.length >= 10, `${promising.length} chapters promise something`);
  for (const chapter of promising) {
    const title = chapter.split("\n")[0];
    const [, promised = ""] = (chapter.split("**Not promised**")[0] ?? "").split("**Promised**");
    for (const block of blocksOf(promised)) assert.match(block, namesTest, `${title}: ${block}`);
  }
});

for (const { path, chapters, promises, others } of promisingDocuments) {
  Deno.test(`each paragraph, list entry and table of ${path} that promises something has its row, and is still there`, async () => {
    const text = await Deno.readTextFile(new URL(path, root));
    for (const { says, shownBy } of promises) {
      assert.ok(plain(text).includes(says), `${path} promises this no more: ${says}`);
      assert.ok(shownBy.length > 0 && shownBy.every(({ titles }) => titles.length > 0), says);
    }
    const blocks = chapters.flatMap((title) => blocksOf(chapterOf(text, title)));
    const begins = Object.keys(others);
    for (const block of blocks) {
      if (promises.some(({ says }) => block.includes(says))) continue;
      assert.ok(begins.some((begin) => block.startsWith(begin)), `${path} has a line without a test: ${block}`);
    }
    for (const begin of begins) {
      assert.ok(blocks.some((block) => block.startsWith(begin)), `nothing begins with ${begin}`);
    }
  });
}
