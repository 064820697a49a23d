import { coverageOf } from "../tests/spec/coverage.ts";
import { specLines } from "../tests/spec/lines.ts";
import { taggedTests } from "../tests/spec/tagged_tests.ts";

/**
 * Prints which test shows which line of what the original does, and ends with 1 when a line has none or a title names a
 * line that does not exist: `deno run -R tools/spec_table.ts [--missing]`.
 */
const { shown, missing, strays } = coverageOf(specLines, await taggedTests());
const onlyMissing = Deno.args.includes("--missing");

for (const { line, tests } of shown) {
  if (onlyMissing) continue;
  write(`[${line.tag}] ${line.claim}`);
  if (line.notHere !== undefined) write(`    does not apply: ${line.notHere}`);
  for (const { file, title } of tests) write(`    ${file}: ${title}`);
}
for (const { tag, claim } of missing) write(`NO TEST [${tag}] ${claim}`);
for (const { tag, test } of strays) write(`NO LINE [${tag}] in ${test.file}: ${test.title}`);
const excused = shown.filter(({ line, tests }) => line.notHere !== undefined && tests.length === 0).length;
write(
  `${specLines.length} lines: ${specLines.length - excused - missing.length} shown, ${excused} do not apply, ` +
    `${missing.length} without a test; ${strays.length} tags without a line`,
);
if (missing.length > 0 || strays.length > 0) Deno.exit(1);

function write(line: string): void {
  // deno-lint-ignore no-console -- the table is what this program is for
  console.log(line);
}
