import assert from "node:assert/strict";
import { formatInput, parseInput } from "./corpus.ts";
import { instrument } from "./instrument.ts";
import { runModule } from "./module_process.ts";
import { dictionaryOf } from "./mutator.ts";

Deno.test("inputs are kept as text, byte for byte", () => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const input of [every, new Uint8Array(0), new TextEncoder().encode('a"\\x41')]) {
    assert.deepEqual(parseInput(formatInput(input)), input);
    assert.match(formatInput(input), /^[ -~]*$/);
  }
  for (const line of ["", "a", '"\\x4"', '"\\n"']) assert.throws(() => parseInput(line), SyntaxError);
});

Deno.test("numbers of a source are looked for as one byte, two, four, and text", () => {
  const words = dictionaryOf([0x0102, "GET", 7]).map((bytes) => bytes.toHex());
  for (const word of ["3235 38", "0102", "0201", "00000102", "02010000", "474554", "07", "37"]) {
    assert.ok(words.includes(word.replace(" ", "")), `${word} is not among ${words.join()}`);
  }
});

/** Something of each kind of place that has a counter, and what it comes to. */
const places = `
export function sum(values: readonly number[], options: { skip?: number } = {}): number {
  let total = 0;
  for (const value of values) if (value !== options.skip) total += value; else continue;
  let at = 0;
  while (at < 2) at++;
  do total++; while (total < 0);
  switch (at) {
    case 1:
    case 2: total += 10;
      break;
    default: total = NaN;
  }
  outer: for (let i = 0; i < 3; i++) for (;;) continue outer;
  const twice = (value: number) => value * 2;
  const pick = (value?: { a?: number }) => value?.a ?? (value === undefined ? -1 : -2);
  let maybe: number | undefined;
  maybe ??= pick() + pick({}) + pick({ a: 3 });
  try {
    if (total > 0 && maybe === 0 || false) throw new Error("x");
  } catch { total += twice(maybe + 1); }
  return total;
}
export class Box {
  #value = 1;
  constructor(more = 2) { this.#value += more; }
  get value(): number { return this.#value; }
}
`;

Deno.test("a module does the same with its counters, on the same lines, and they count", async () => {
  const { text, counters, literals } = instrument(places, 3);
  assert.equal(text.split("\n").length, places.split("\n").length);
  const counts = new Uint32Array(3 + counters);
  Object.assign(globalThis, { __fuzz: { counters: counts, overrun: () => assert.fail("nothing runs on") } });
  const load = (source: string) => import(`data:application/typescript,${encodeURIComponent(source)}`);
  const [plain, counted] = [await load(places), await load(text)];
  for (const values of [[], [1, 2, 3], [5, 5]]) {
    assert.equal(counted.sum(values, { skip: 5 }), plain.sum(values, { skip: 5 }));
  }
  assert.equal(new counted.Box().value, 3);
  assert.ok(counts.slice(3).filter((count) => count > 0).length > 15, counts.join());
  assert.deepEqual(counts.slice(0, 3), new Uint32Array(3));
  assert.ok(literals.includes(10) && literals.includes("x"));
});

Deno.test("what is kept, what was found, and some thousand inputs more break none of the targets", async () => {
  const { code, text } = await runModule("./run_inputs.ts", "--inputs=100", "--seed=1");
  assert.equal(code, 0, text);
  assert.match(text, /\d+ inputs over \d{2} targets, 0 faults/);
});
