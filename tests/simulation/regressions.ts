/** A seed that broke something once. */
export interface Regression {
  readonly scenario: string;
  readonly number: number;
  /** What was wrong. */
  readonly why: string;
}

/**
 * Runs that find a fault again if it comes back; it has its own test where it arose. What is drawn otherwise than before gives a
 * seed another meaning: then another one has to be found, with the mend taken back.
 */
export const regressions: readonly Regression[] = [
  {
    scenario: "leases",
    number: 37,
    why: "an agent with a wrong clock listed leases over and over once one had ended, until the API's second was over",
  },
  {
    scenario: "renewed",
    number: 200_041,
    why: "links that had reached their age, at one server after the other, were taken for links that were missing",
  },
  {
    scenario: "drifting",
    number: 200_756,
    why: "a server with a fast clock ended its tunnels at the end of its grace, and they counted as unharmed",
  },
  {
    scenario: "far",
    number: 201_172,
    why: "a peer's end gave a window's growth back to others while the bytes that it was for were still held",
  },
];
