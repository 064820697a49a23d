import { print } from "../src/cli/terminal.ts";
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
  print(`[${line.tag}] ${line.claim}`);
  if (line.notHere !== undefined) print(`    does not apply: ${line.notHere}`);
  for (const { file, title } of tests) print(`    ${file}: ${title}`);
}
for (const { tag, claim } of missing) print(`NO TEST [${tag}] ${claim}`);
for (const { tag, test } of strays) print(`NO LINE [${tag}] in ${test.file}: ${test.title}`);
const excused = shown.filter(({ line, tests }) => line.notHere !== undefined && tests.length === 0).length;
print(
  `${specLines.length} lines: ${specLines.length - excused - missing.length} shown, ${excused} do not apply, ` +
    `${missing.length} without a test; ${strays.length} tags without a line`,
);
if (missing.length > 0 || strays.length > 0) Deno.exit(1);
