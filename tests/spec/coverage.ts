import { isSection } from "./lines.ts";
import type { SpecLine } from "./spec_line.ts";
import type { TaggedTest } from "./tagged_tests.ts";

/** Which tests show which line. */
export interface Coverage {
  readonly shown: readonly { readonly line: SpecLine; readonly tests: readonly TaggedTest[] }[];
  /** Lines that no test shows, though they apply. */
  readonly missing: readonly SpecLine[];
  /** Tags in titles that name no line and no section. */
  readonly strays: readonly { readonly tag: string; readonly test: TaggedTest }[];
}

/** Joins lines and tests by the tags in the tests' titles. */
export function coverageOf(lines: readonly SpecLine[], tests: readonly TaggedTest[]): Coverage {
  const byTag = new Map<string, TaggedTest[]>(lines.map(({ tag }) => [tag, []]));
  const strays: { tag: string; test: TaggedTest }[] = [];
  for (const test of tests) {
    for (const tag of test.tags) {
      const shown = byTag.get(tag);
      if (shown !== undefined) shown.push(test);
      else if (!isSection(tag)) strays.push({ tag, test });
    }
  }
  const shown = lines.map((line) => ({ line, tests: byTag.get(line.tag) ?? [] }));
  return {
    shown,
    missing: shown.filter(({ line, tests }) => tests.length === 0 && line.notHere === undefined).map(({ line }) =>
      line
    ),
    strays,
  };
}
