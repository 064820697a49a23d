/**
 * Writes the table of promises in docs/security.md: `deno task promises`.
 * @module
 */
import type { Promised } from "./promise.ts";
import { promisingDocuments } from "./promise_table.ts";

const path = new URL("../../../docs/security.md", import.meta.url);
const marker = /<!-- promises -->\n[^]*<!-- \/promises -->/;

function rowOf(document: string, { says, shownBy }: Promised): string {
  const tests = shownBy.map(({ file, titles }) => `\`${file}\`, ${titles.map((title) => `"${title}"`).join(", ")}`);
  return `| [${document}](../${document}) | ${says} | ${tests.join("; ")} |`;
}

/** The document with its table as it should be. @throws where it has no place for one */
export function withPromiseTable(text: string): string {
  if (!marker.test(text)) throw new Error("docs/security.md has no place for its table of promises");
  const lines = [
    "<!-- promises -->",
    "<!-- deno-fmt-ignore-start -->",
    "",
    "| where | what is promised | tests |",
    "|---|---|---|",
    ...promisingDocuments.flatMap(({ path, promises }) => promises.map((each) => rowOf(path, each))),
    "",
    "<!-- deno-fmt-ignore-end -->",
    "<!-- /promises -->",
  ];
  return text.replace(marker, () => lines.join("\n"));
}

if (import.meta.main) await Deno.writeTextFile(path, withPromiseTable(await Deno.readTextFile(path)));
