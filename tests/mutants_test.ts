import assert from "node:assert/strict";
import { outdated, parseAccepted, readAccepted } from "../tools/accepted_mutants.ts";
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

Deno.test("every mutant that is accepted is one of its source as it stands", async () => {
  const accepted = await readAccepted();
  assert.ok(accepted.size > 0);
  for (const file of accepted.keys()) {
    assert.deepEqual(outdated(accepted, file, await Deno.readTextFile(file)), [], file);
  }
});

Deno.test("accepted mutants are read from lines that belong to each other, and one that is gone is told", () => {
  const text =
    "src/a.ts\n  why\n    a < b\n      a <= b\n      a > b\n  why else\n    return true;\n      return false;\n";
  const accepted = parseAccepted(text);
  assert.deepEqual(accepted.get("src/a.ts"), [["a < b", "a <= b"], ["a < b", "a > b"], [
    "return true;",
    "return false;",
  ]]);
  assert.deepEqual(outdated(accepted, "src/a.ts", "a < b\nreturn true;\n"), ["a < b -> a > b"]);
  assert.throws(() => parseAccepted("src/a.ts\n      a <= b\n"), /belongs to nothing/);
});
