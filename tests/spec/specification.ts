import { walk } from "../support/assert/walk.ts";

/** One line of what the original does, or does wrong, that a test here must show. */
export interface SpecLine {
  /** As it stands in brackets at the start of a test's title: `server 13.5-7`, `server W12`, `agent weak 15`. */
  readonly tag: string;
  /** What a test with this tag shows, in short. */
  readonly claim: string;
  /** Why no test can or need show it here. */
  readonly notHere?: string;
}

/** What the chapters of docs/original say, as far as tests refer to it. */
export interface Specification {
  readonly lines: readonly SpecLine[];
  /** Headings by their tags. A title may name one instead of a line: behaviour that is described there in prose. */
  readonly sections: ReadonlyMap<string, string>;
}

/** A tag in its brackets. */
export const tagPattern = String.raw`\[(?:server|agent|client|pains) [^\]\n]+\]`;

/** The document that tells which tests show which line; it is made from the others. */
export const tableOfTests = "docs/original/tests.md";

// Text of an item, over the ends of lines; a bullet on the next line begins another item.
const item = String.raw`.+(?:\n +(?! |- ).+)*`;
const lineItem = new RegExp(String.raw`^- (${tagPattern}) (${item})((?:\n {2}- ${item})*)`, "gm");
const excuse = new RegExp(String.raw`^ {2}- does not apply: (${item})`, "m");
const heading = new RegExp(String.raw`^#+ (.+?)((?: ${tagPattern})+)$`, "gm");

const root = new URL("../../", import.meta.url);

/** Every chapter, read. */
export async function specification(): Promise<Specification> {
  const chapters = (await walk("docs/original")).filter((path) => path !== tableOfTests);
  const texts = await Promise.all(chapters.map((path) => Deno.readTextFile(new URL(path, root))));
  return specificationIn(texts.join("\n"));
}

/**
 * The lines and sections of a chapter's text.
 * @throws {Error} when a tag stands twice: a reader who looks it up would find one of two claims
 */
export function specificationIn(text: string): Specification {
  const lines = [...text.matchAll(lineItem)].map(([, tag = "", claim = "", notes = ""]): SpecLine => {
    const notHere = excuse.exec(notes)?.[1];
    return { tag: bare(tag), claim: joined(claim), ...(notHere === undefined ? {} : { notHere: joined(notHere) }) };
  });
  const sections = new Map<string, string>();
  for (const [, title = "", tags = ""] of text.matchAll(heading)) {
    for (const tag of tagsIn(tags)) {
      if (sections.has(tag)) {
        throw new Error(`two sections have the tag [${tag}]: "${sections.get(tag)}" and "${title}"`);
      }
      sections.set(tag, title);
    }
  }
  const tags = lines.map(({ tag }) => tag);
  const twice = tags.find((tag, at) => tags.indexOf(tag) !== at);
  if (twice !== undefined) throw new Error(`two lines have the tag [${twice}]`);
  return { lines, sections };
}

/** The tags in a text, without their brackets. */
export function tagsIn(text: string): string[] {
  return [...text.matchAll(new RegExp(tagPattern, "g"))].map(([tag]) => bare(tag));
}

function bare(tag: string): string {
  return tag.slice(1, -1);
}

function joined(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}
