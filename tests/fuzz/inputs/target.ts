import type { Random } from "../random.ts";

/** What inputs are thrown at: a parser with its handlers under it, and what must hold for each input. */
export interface FuzzTarget {
  readonly name: string;
  /** Paths of modules and folders, from the project's root, whose coverage counts. */
  readonly modules: readonly string[];
  /** Valid inputs to begin with. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** What valid inputs are made of, beside the literals of the modules. */
  readonly dictionary?: readonly (string | Uint8Array)[];
  /** Makes another input that has the target's structure, of one that may not have it. */
  readonly restructure?: (random: Random, input: Uint8Array) => Uint8Array;
  /** Longest input that mutation makes; 512 unless given. */
  readonly maxBytes?: number;
  /** How long an input is made now and then by repeating a part of it; 64 KiB unless given. */
  readonly largeBytes?: number;
  /** How much an input may make the modules do: 50,000 counted places and 2,000 for each byte unless given. */
  readonly maxWork?: (inputBytes: number) => number;
  /** How many bytes the runtime itself keeps of each input; none unless given. */
  readonly keptBytes?: number;
  /**
   * Judges one input. The same input must give the same run.
   * @throws {Error} of any kind, where something does not hold
   */
  run(input: Uint8Array): void | Promise<void>;
}
