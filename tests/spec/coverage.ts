import type { Specification, SpecLine } from "./specification.ts";
import type { TaggedTest } from "./tagged_tests.ts";

/** Which tests show which line, and which name a section as a whole. */
export interface Coverage {
  /** Every line, and every section that a test names, by tag. */
  readonly shown: ReadonlyMap<string, readonly TaggedTest[]>;
  /** Lines that no test shows, though they apply. */
  readonly missing: readonly SpecLine[];
  /** Tags in titles that name no line and no section. */
  readonly strays: readonly { readonly tag: string; readonly test: TaggedTest }[];
}

/** Joins the specification and the tests by the tags in the tests' titles. */
export function coverageOf({ lines, sections }: Specification, tests: readonly TaggedTest[]): Coverage {
  const shown = new Map<string, TaggedTest[]>(lines.map(({ tag }) => [tag, []]));
  const strays: { tag: string; test: TaggedTest }[] = [];
  for (const test of tests) {
    for (const tag of test.tags) {
      const of = shown.get(tag);
      if (of !== undefined) of.push(test);
      else if (sections.has(tag)) shown.set(tag, [test]);
      else strays.push({ tag, test });
    }
  }
  const missing = lines.filter(({ tag, notHere }) => notHere === undefined && shown.get(tag)?.length === 0);
  return { shown, missing, strays };
}
