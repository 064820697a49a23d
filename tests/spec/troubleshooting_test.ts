import assert from "node:assert/strict";
import { walk } from "../support/assert/walk.ts";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("docs/troubleshooting.md", root));

/** What the programs pass on of others, such as the runtime: tests/e2e/troubleshooting_test.ts has them said. */
const ofOthers = /<!-- live -->[^]*?<!-- \/live -->/g;

/** Messages that a document quotes: code at the beginning of a list's item, and what follows it behind commas. */
export function quotedMessages(markdown: string): string[] {
  return [...markdown.matchAll(/^- (`[^`]+`(?:,\s+`[^`]+`)*)/gm)].flatMap(([, quoted = ""]) =>
    [...quoted.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message.replaceAll(/\s+/g, " "))
  );
}

/**
 * The text of a module with its values, named or not, as three dots, and literals that `+` joins as one: a message stands in
 * it as it is said.
 */
export function spoken(source: string): string {
  return source
    .replaceAll(/\\(["`'])/g, "$1")
    .replaceAll(/["'`]\s*\+\s*["'`]/g, "")
    .replaceAll(/["'`]\s*\+\s*[\w.]+\s*\+\s*["'`]/g, "…")
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}|\{\w+\}/g, "…");
}

const paths = (await walk("src")).filter((path) => path.endsWith(".ts") && !path.endsWith("_test.ts"));
const sources = await Promise.all(paths.map(async (path) => spoken(await Deno.readTextFile(new URL(path, root)))));

function isSaid(message: string): boolean {
  const parts = message.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(parts.join("…"));
  return sources.some((source) => pattern.test(source));
}

Deno.test("each message that docs/troubleshooting.md quotes is said by the programs", () => {
  const messages = quotedMessages(text.replaceAll(ofOthers, ""));
  assert.ok(messages.length > 60, `only ${messages.length} are quoted`);
  const unsaid = messages.filter((message) => !isSaid(message));
  assert.deepEqual(unsaid, []);
});

Deno.test("a message that nobody says, or says otherwise, is noticed", () => {
  for (const said of ["No agent available", "cannot connect to server at …: …"]) assert.ok(isSaid(said), said);
  for (const unsaid of ["No agents available", "cannot connect to the server at …: …", "lost server …: … of … links"]) {
    assert.ok(!isSaid(unsaid), unsaid);
  }
  assert.deepEqual(quotedMessages("- `one …`, `two\n  more`: why\n- none `three`\n"), ["one …", "two more"]);
  assert.equal(spoken('log.warn("a {b} c " +\n  "d", `e ${f("g")} h`)'), 'log.warn("a … c d", `e … h`)');
});

Deno.test("each chapter of docs/troubleshooting.md has a symptom, how to see it or what is told, and a way out", () => {
  for (const chapter of text.split(/^## /m).slice(1)) {
    const title = chapter.slice(0, chapter.indexOf("\n"));
    assert.match(chapter, /^\*\*Symptom\.\*\*/m, title);
    assert.ok(/^```sh$/m.test(chapter) || title === "It does not start", `${title} can be seen by no command`);
    assert.match(chapter, /\*\*(?:What to do|Cause, and what to do)|\(migration\.md|security\.md/, title);
  }
});
