import type { Mode, Shown, Step } from "./traffic.ts";

/** A flag as the original's `--help` shows it. */
export interface RecordedFlag {
  readonly name: string;
  readonly type: string;
  /** Absent: the type's zero, or a default that is another one at each start. */
  readonly default?: string;
}

/** A metric as the original declares it. */
export interface RecordedMetric {
  /** Whole name. */
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** What one run of the traffic showed. */
export interface RecordedRun {
  readonly mode: Mode;
  readonly strategies: string;
  readonly shown: Readonly<Record<Step, Shown>>;
}

/** What `deno task original` writes. */
export interface Recorded {
  /** The original's, and when it was made. */
  readonly commit: string;
  readonly date: string;
  /** By program; flags that `--help` hides are not there. */
  readonly flags: Readonly<Record<string, readonly RecordedFlag[]>>;
  /** By program, Go's own aside. */
  readonly metrics: Readonly<Record<"server" | "agent" | "client", readonly RecordedMetric[]>>;
  /** What a running server and a running agent show beside these, by name. */
  readonly process: readonly string[];
  readonly runs: readonly RecordedRun[];
}

/** Something that we do otherwise on purpose. */
export interface Differences {
  readonly flags: readonly {
    readonly program: string;
    readonly flag: string;
    /** Another default, a flag that is not here, or one that the recorded original does not have yet. */
    readonly kind: "default" | "lacking" | "ahead";
    readonly reason: string;
  }[];
  readonly metrics: readonly {
    /** Name without what all have in common, perhaps with labels. */
    readonly metric: string;
    /** Absent: in every mode. */
    readonly mode?: Mode;
    readonly reason: string;
  }[];
  /** Names of metrics that are not here; `*` stands for any end. */
  readonly lacking: readonly { readonly names: string; readonly reason: string }[];
}

const folder = new URL("../../docs/original/", import.meta.url);

/** Where `deno task original` writes. */
export const recordedFile: URL = new URL("recorded.json", folder);

/** Reads what was recorded from the original. */
export async function recordedOriginal(): Promise<Recorded> {
  return JSON.parse(await Deno.readTextFile(recordedFile));
}

/** Reads the table of what differs on purpose. */
export async function differencesOnPurpose(): Promise<Differences> {
  return JSON.parse(await Deno.readTextFile(new URL("differences.json", folder)));
}
