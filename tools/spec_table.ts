import { print, printError } from "../src/programs/terminal.ts";
import { coverageOf } from "../tests/spec/coverage.ts";
import { specification, tableOfTests } from "../tests/spec/specification.ts";
import { type TaggedTest, taggedTests } from "../tests/spec/tagged_tests.ts";

/**
 * Holds docs/original against the tests: every line has one, every tag in a title names a line or a section, and the table
 * of tests is fresh. `deno run -R tools/spec_table.ts`; exit code 1 with a line for each fault. With `--write`
 * (`deno task spec`) the table is written.
 * @module
 */
const spec = await specification();
const { shown, missing, strays } = coverageOf(spec, await taggedTests());
const faults = [
  ...missing.map(({ tag, claim }) => `no test shows [${tag}] ${claim}`),
  ...strays.map(({ tag, test }) => `no line or section is [${tag}], in ${test.file}: ${test.title}`),
];

const lines = new Map(spec.lines.map((line) => [line.tag, line]));
const inOrder = new Intl.Collator("en", { numeric: true });

function row(tag: string, tests: readonly TaggedTest[]): string {
  const line = lines.get(tag);
  const excuse = line?.notHere === undefined ? [] : [`does not apply: ${line.notHere}`];
  const cells = [
    tag,
    line?.claim ?? `section "${spec.sections.get(tag)}"`,
    [...tests.map(({ file, title }) => `\`${file}\`: ${plain(title)}`), ...excuse].join("<br>"),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** A title as a reader sees it; three dots stand for what a template fills in. */
function plain(title: string): string {
  return title.replaceAll(/\$\{[^}]*\}/g, "…").replaceAll(/\\(.)/g, "$1").replaceAll("<", "\\<");
}

const table = `<!-- deno-fmt-ignore-file -->
<!-- Written by \`deno task spec\`. -->
# Which test shows what

[README.md](README.md) says how tags are read. Three dots stand for what differs between tests that are made from one
title.

| tag | what is shown | tests |
|---|---|---|
${[...shown].toSorted(([a], [b]) => inOrder.compare(a, b)).map(([tag, tests]) => row(tag, tests)).join("\n")}
`;

const path = new URL(`../${tableOfTests}`, import.meta.url);
if (Deno.args.includes("--write")) await Deno.writeTextFile(path, table);
else if (await Deno.readTextFile(path) !== table) faults.push(`${tableOfTests} is stale; run deno task spec`);

for (const fault of faults) printError(fault);
if (faults.length === 0) print(`${lines.size} lines, each with its tests or a reason to have none`);
Deno.exit(faults.length === 0 ? 0 : 1);
