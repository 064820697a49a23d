import type { Figure } from "./load.ts";

/** One number of a measurement, in each round. */
export interface Measured {
  readonly implementation: string;
  readonly mode: string;
  readonly scenario: string;
  readonly figure: string;
  readonly unit: string;
  readonly values: number[];
}

/** A measurement that came to nothing, and why. */
export interface Failed {
  readonly implementation: string;
  readonly mode: string;
  readonly scenario: string;
  readonly reason: string;
}

/** One number against something that grows. */
export interface CurvePoint {
  readonly implementation: string;
  readonly mode: string;
  /** What grows: `tunnels`, `write size`, `agents`, or the minutes of `churn`. */
  readonly curve: string;
  readonly figure: string;
  readonly unit: string;
  readonly at: number;
  readonly value: number;
}

/** What a run was made with. */
export interface RunFacts {
  readonly machine: string;
  readonly versions: readonly string[];
  readonly command: string;
  readonly implementations: readonly { readonly name: string; readonly server: string; readonly agent: string }[];
  readonly rounds: number;
}

/** Everything that a run came to. */
export class Results {
  readonly facts: RunFacts;
  readonly measured: Measured[] = [];
  readonly failed: Failed[] = [];
  readonly curves: CurvePoint[] = [];

  constructor(facts: RunFacts) {
    this.facts = facts;
  }

  /** Adds a round's figures. */
  add(implementation: string, mode: string, scenario: string, figures: readonly Figure[]): void {
    for (const { name: figure, unit, value } of figures) {
      const known = this.measured.find((each) =>
        each.implementation === implementation && each.mode === mode && each.scenario === scenario &&
        each.figure === figure
      );
      if (known === undefined) {
        this.measured.push({ implementation, mode, scenario, figure, unit, values: [value] });
      } else {
        known.values.push(value);
      }
    }
  }

  /** Adds points of a curve. @param at where they stand, unless they say so themselves */
  addCurve(implementation: string, mode: string, curve: string, figures: readonly Figure[], at: number = 0): void {
    for (const { name: figure, unit, value, at: own } of figures) {
      this.curves.push({ implementation, mode, curve, figure, unit, at: own ?? at, value });
    }
  }
}

/** The middle value; the mean of both middle ones. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
  return (upper + lower) / 2;
}
