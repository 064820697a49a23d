// deno-lint-ignore-file no-console -- the one place where programs talk to the person who started them

/** Where a program writes lines for a person. */
export interface Printer {
  /** What was asked for. */
  readonly out: (line: string) => void;
  /** What went wrong. */
  readonly err: (line: string) => void;
}

/** Writes a line that was asked for: to stdout. */
export function print(line: string): void {
  console.log(line);
}

/** Writes a line that explains a failure or a refusal: to stderr. */
export function printError(line: string): void {
  console.error(line);
}
