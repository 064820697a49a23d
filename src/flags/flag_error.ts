/** What was wrong with a command line. */
export type FlagErrorCode =
  | "bad-flag-syntax"
  | "unknown-flag"
  | "unknown-shorthand"
  | "flag-needs-argument"
  | "invalid-argument"
  | "bad-operand";

/** A command line that cannot be parsed; the messages are those of Go's pflag, which users know and search for. */
export class FlagError extends Error {
  override readonly name = "FlagError";
  readonly code: FlagErrorCode;

  constructor(code: FlagErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A flag's value that its type refuses; the message is the part that follows `invalid argument … for … flag: `. */
export class FlagValueError extends Error {
  override readonly name = "FlagValueError";
  readonly code = "bad-flag-value";
}

/** Text in double quotes, as Go's %q prints it (alike for all that a command line sensibly holds). */
export function quote(text: string): string {
  return JSON.stringify(text);
}
