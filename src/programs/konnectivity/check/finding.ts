/** What a check looks at, each with a chapter of its own in docs/checks.md. */
export const checkNames = [
  "flags",
  "certificates",
  "names",
  "listeners",
  "dns",
  "reach",
  "kubernetes",
  "rbac",
  "clock",
  "token",
  "leases",
  "egress",
  "memory",
  "descriptors",
  "pod",
  "status",
] as const;

export type CheckName = typeof checkNames[number];

/** `skipped`: it cannot be looked at from here; the text says why. */
export type Outcome = "ok" | "warning" | "failed" | "skipped";

/** What a check has found. */
export interface Finding {
  readonly outcome: Outcome;
  readonly check: CheckName;
  /** Whose: a flag, a file, a container. */
  readonly subject: string;
  /** What is so; where it is not as it should be, what to do. */
  readonly text: string;
}

/** The chapter that explains a check. */
export function chapterOf({ check }: Pick<Finding, "check">): string {
  return `docs/checks.md#${check}`;
}

/** Makes the findings of one check. */
export class Findings {
  readonly #check: CheckName;
  readonly list: Finding[] = [];

  constructor(check: CheckName) {
    this.#check = check;
  }

  ok(subject: string, text: string): void {
    this.#add("ok", subject, text);
  }

  warn(subject: string, text: string): void {
    this.#add("warning", subject, text);
  }

  fail(subject: string, text: string): void {
    this.#add("failed", subject, text);
  }

  skip(subject: string, text: string): void {
    this.#add("skipped", subject, text);
  }

  /** Whether something was found that is not as it should be. */
  get wrong(): boolean {
    return this.list.some(({ outcome }) => outcome === "failed" || outcome === "warning");
  }

  #add(outcome: Outcome, subject: string, text: string): void {
    this.list.push({ outcome, check: this.#check, subject, text });
  }
}
