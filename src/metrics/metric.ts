/** What the metrics of all programs begin with. */
export const metricNamespace = "konnectivity_network_proxy";

/** A metric as it is declared: the same declaration makes the metric and the documentation. */
export interface Metric {
  /** Whole name, prefix included. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The original's text where it has the metric: its tests and its users' tools compare it. */
  readonly help: string;
  /** In alphabetical order, as the original writes them. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, rising. */
  readonly buckets?: readonly number[];
  readonly origin: "original" | "ours";
  /** What one command with several workers shows of their values. Absent: the sum. */
  readonly ofWorkers?: WorkersRule;
}

/**
 * How the values of workers become one:
 * - `max`, `min`: what each of them sees of the same things, such as agents, which have a link to each
 * - `process`: what each of them sees of the one process that they share
 */
export type WorkersRule = "max" | "min" | "process";

/** Seconds, for everything that has no buckets of its own in the original: the defaults of Prometheus' libraries. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
