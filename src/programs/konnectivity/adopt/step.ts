/** What somebody who takes over from the original is told, in the order in which it is told. */
export const stepKinds = ["edit", "differs", "order"] as const;

/**
 * - `edit`: it must be edited, or the program does not start, or not well
 * - `differs`: it works, and not as with the original
 * - `order`: what to do, one after the other
 */
export type StepKind = typeof stepKinds[number];

/** One thing to know or to do. */
export interface Step {
  readonly kind: StepKind;
  /** The program and where it stands; empty: everything. */
  readonly subject: string;
  readonly text: string;
  /** Chapter of the documents; empty: the text says it all. */
  readonly chapter: string;
}
