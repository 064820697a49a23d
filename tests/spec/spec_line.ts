/** One line of what the original is known to do, or to do wrong, that a test here must show. */
export interface SpecLine {
  /** As it stands in brackets at the start of a test's title: `server 13.5-7`, `server W12`, `agent weak 15`. */
  readonly tag: string;
  /** What a test with this tag shows, in short. */
  readonly claim: string;
  /** Why no test can or need show it here. */
  readonly notHere?: string;
}

/** A claim that does not apply to this project, and the reason. */
export interface Excused {
  readonly claim: string;
  readonly notHere: string;
}

export function excused(claim: string, notHere: string): Excused {
  return { claim, notHere };
}

/** Lines that are numbered from 1, in the order in which they are written down. */
export function numbered(prefix: string, claims: readonly (string | Excused)[]): SpecLine[] {
  return claims.map((claim, at) => ({
    tag: `${prefix}${at + 1}`,
    ...(typeof claim === "string" ? { claim } : claim),
  }));
}
