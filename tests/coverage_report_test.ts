import assert from "node:assert/strict";
import { coverageTable, parseLcov, percent, sumOf } from "../tools/coverage_report.ts";

const lcov = `SF:/p/src/wire/a.ts
DA:1,3
BRF:4
BRH:1
LH:9
LF:10
end_of_record
SF:/p/src/net/tls/b.ts
BRF:0
BRH:0
LH:0
LF:10
end_of_record
SF:/p/gen/c.ts
LH:1
LF:1
end_of_record
`;

Deno.test("a report has each file of the project, with its lines and branches", () => {
  assert.deepEqual(parseLcov(lcov, "/p/src/").map(({ path }) => path), ["wire/a.ts", "net/tls/b.ts"]);
  const files = parseLcov(lcov, "/p/");
  assert.deepEqual(files[0], {
    path: "src/wire/a.ts",
    lines: { hit: 9, found: 10 },
    branches: { hit: 1, found: 4 },
  });
  assert.equal(percent(sumOf(files.slice(0, 2).map(({ lines }) => lines))), 45);
  assert.equal(percent({ hit: 0, found: 0 }), 100);
});

Deno.test("a table sums folders up, and names the files that lack the most first", () => {
  const text = coverageTable(parseLcov(lcov, "/p/").slice(0, 2), 1).join("\n");
  assert.match(text, /^src\/net\/tls +1 +0\.0 % +100\.0 %$/m);
  assert.match(text, /^src\/wire +1 +90\.0 % +25\.0 %$/m);
  assert.match(text, /^all +2 +45\.0 % +25\.0 %$/m);
  assert.match(text, /10 of +10 {2}src\/net\/tls\/b\.ts$/);
});
