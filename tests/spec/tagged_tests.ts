import { walk } from "../support/assert/walk.ts";
import { tagPattern, tagsIn } from "./specification.ts";

/** A test, or a table entry that becomes one, whose title names lines. */
export interface TaggedTest {
  /** Path of its file in the project. */
  readonly file: string;
  /** Without the tags; what a template fills in stands as it does in the source. */
  readonly title: string;
  readonly tags: readonly string[];
}

/** A string that begins with tags. Titles stand on one line, so that they can be searched for. */
const taggedString = new RegExp(String.raw`(["'\x60])((?:${tagPattern} ?)+)((?:(?!\1)[^\n\\]|\\.)*)\1`, "g");

/** Has titles of tests that there are not. */
const ownTest = "tests/spec/coverage_test.ts";

const root = new URL("../../", import.meta.url);

/** Every tagged test below the folders with tests, in the order of files and lines. */
export async function taggedTests(): Promise<TaggedTest[]> {
  const paths = [...await walk("src"), ...await walk("tests"), ...await walk("tools")];
  const found: TaggedTest[] = [];
  for (const file of paths.filter((path) => path.endsWith("_test.ts") && path !== ownTest)) {
    found.push(...testsIn(file, await Deno.readTextFile(new URL(file, root))));
  }
  return found;
}

/** The tagged tests of one file's source. */
export function testsIn(file: string, source: string): TaggedTest[] {
  const found: TaggedTest[] = [];
  for (const [, , tags = "", title = ""] of source.matchAll(taggedString)) {
    found.push({ file, title, tags: tagsIn(tags).flatMap(spread) });
  }
  return found;
}

/** `server 13.7-3..5` is three tags. */
function spread(text: string): string[] {
  const range = /^(.*-)(\d+)\.\.(\d+)$/.exec(text);
  if (range === null) return [text];
  const [, prefix = "", first, last] = range;
  const [from, to] = [Number(first), Number(last)];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => `${prefix}${from + at}`);
}
