/**
 * Writes the table of docs/faults.md: `deno task faults`.
 * @module
 */
import { type Fault, faults } from "./fault_table.ts";

const path = new URL("../../../docs/faults.md", import.meta.url);
const marker = /<!-- faults -->\n[^]*<!-- \/faults -->/;

function rowOf([name, { process, promise, shownBy }]: [string, Fault]): string {
  const byFile = Map.groupBy(shownBy, ({ file }) => file);
  const tests = Array.from(byFile, ([file, shown]) => {
    const titles = shown.map(({ title = name }) => `"${title}"`);
    return `\`${file}\`, ${titles.join(", ")}`;
  });
  return `| ${[name, process, promise, tests.join("; ")].join(" | ")} |`;
}

/** The document with its table as it should be. @throws where it has no place for one */
export function withFaultTable(text: string): string {
  if (!marker.test(text)) throw new Error("docs/faults.md has no place for its table");
  const lines = [
    "<!-- faults -->",
    "<!-- deno-fmt-ignore-start -->",
    "",
    "| what goes wrong | whose | what is promised | tests |",
    "|---|---|---|---|",
    ...Object.entries(faults).map(rowOf),
    "",
    "<!-- deno-fmt-ignore-end -->",
    "<!-- /faults -->",
  ];
  return text.replace(marker, () => lines.join("\n"));
}

if (import.meta.main) await Deno.writeTextFile(path, withFaultTable(await Deno.readTextFile(path)));
