import assert from "node:assert/strict";
import { masked, mutantsOf, mutated } from "../tools/mutants.ts";

const source = `import { a } from "./a.ts";

/** Never 1 < 2. */
export function f(x: number): boolean {
  // x < 3
  log("a && b");
  if (x < 10 && x !== 0) return true;
  total += x;
  return /a < b/.test(String(x));
}
`;

Deno.test("mutants are of code alone: comments, strings, regular expressions and types stay", () => {
  assert.equal(masked(source).length, source.length);
  const changed = mutantsOf(source).map((
    mutant,
  ) => [mutant.line, mutated(source, mutant).split("\n")[mutant.line - 1]?.trim()]);
  assert.deepEqual(changed, [
    [6, ";"],
    [7, "if (!!0 && x < 10 && x !== 0) return true;"],
    [7, "if (x <= 10 && x !== 0) return true;"],
    [7, "if (x < 11 && x !== 0) return true;"],
    [7, "if (x < 10 || x !== 0) return true;"],
    [7, "if (x < 10 && x === 0) return true;"],
    [7, "if (x < 10 && x !== 1) return true;"],
    [7, "if (x < 10 && x !== 0) return false;"],
    [8, ";"],
    [8, "total -= x;"],
  ]);
});
