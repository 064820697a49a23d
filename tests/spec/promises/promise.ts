/** A test that shows what a document promises. */
export interface ShownBy {
  readonly file: string;
  /** Its titles, or parts of them; three dots stand for what is filled in. */
  readonly titles: readonly string[];
}

/** What a document promises, in its own words. */
export interface Promised {
  /** The words, as they stand there but for the ends of lines. */
  readonly says: string;
  readonly shownBy: readonly ShownBy[];
}

/** The chapters of a document in which each paragraph, list entry and table promises something, or is known not to. */
export interface PromisingDocument {
  readonly path: string;
  readonly chapters: readonly string[];
  readonly promises: readonly Promised[];
  /** How paragraphs, entries and tables begin that promise nothing, and what they do instead. */
  readonly others: Readonly<Record<string, string>>;
}

/** A test by its file and its titles. */
export const by = (file: string, ...titles: readonly string[]): ShownBy => ({ file, titles });

/** Certificates that are replaced badly, which two documents promise. */
export const certificateFaults: readonly ShownBy[] = [
  by(
    "tests/e2e/faults/certificates_test.ts",
    "a server's certificate and key are replaced in the wrong order, in halves and by others'",
  ),
  by(
    "tests/e2e/faults/certificates_long_test.ts",
    "an agent's certificate and key are replaced in the wrong order, in halves and by others'",
  ),
];
