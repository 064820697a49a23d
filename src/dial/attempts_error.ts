import type { AttemptFailure } from "./address_race.ts";

/** None of several addresses could be connected to; `code` is that of the first attempt, which speaks for them as in Go. */
export class AttemptsError extends Error {
  override readonly name = "AttemptsError";
  readonly code: string | undefined;
  readonly failures: readonly AttemptFailure[];

  constructor(failures: readonly AttemptFailure[]) {
    super(failures.map(({ error }) => wordsOf(error)).join("; ") || "no address to connect to", {
      cause: failures[0]?.error,
    });
    const code: unknown = failures[0] === undefined ? undefined : Reflect.get(failures[0].error, "code");
    this.code = typeof code === "string" ? code : undefined;
    this.failures = failures;
  }
}

/** What is thrown for attempts that all failed: a single one's own error. */
export function attemptsError(failures: readonly AttemptFailure[]): Error {
  const [only, ...more] = failures;
  return only !== undefined && more.length === 0 ? only.error : new AttemptsError(failures);
}

/** What an error says; the runtime's own for several addresses says nothing but in what it holds. */
export function wordsOf(error: Error): string {
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map((each) => each instanceof Error ? wordsOf(each) : String(each)).join("; ");
  }
  return error.message || error.name;
}
