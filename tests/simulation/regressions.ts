/** A seed that broke something once. */
export interface Regression {
  readonly scenario: string;
  readonly number: number;
  /** What was wrong. */
  readonly why: string;
}

/** Runs that found a fault, which has its own test where it arose. They are run again each time. */
export const regressions: readonly Regression[] = [
  {
    scenario: "leases",
    number: 5,
    why: "an agent with a wrong clock listed leases over and over once one had ended, until the API's second was over",
  },
];
