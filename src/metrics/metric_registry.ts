import { type Histogram, LabelledHistogram } from "./histogram.ts";
import type { Metric } from "./metric.ts";
import { commentLines, metricsContentType, seriesLine, textInSlices } from "./metric_text.ts";

/** One value of a metric, with the values of its labels in their declared order. */
export type Series = readonly [labels: readonly string[], value: number];

/** A metric's values now: one number without labels, else one a series. */
export type Reading = number | Iterable<Series>;

/** The metrics of one program: nothing is global, and nothing is exported by default. */
export class MetricRegistry {
  /** What gives each metric's lines, by its name. */
  readonly #metrics = new Map<string, () => Iterable<string>>();
  readonly contentType: string = metricsContentType;

  /** Everything in Prometheus' text form. */
  async text(): Promise<string> {
    return await textInSlices(Array.from(this.#metrics.values(), (lines) => lazily(lines)));
  }

  /** A gauge that is read when metrics are scraped, so that it cannot go stale. */
  gauge(metric: Metric, read: () => Reading): void {
    this.#add(metric, () => linesOf(metric, read()));
  }

  /** A counter that others keep, read when metrics are scraped. */
  readCounter(metric: Metric, read: () => Reading): void {
    this.#add(metric, () => linesOf(metric, read()));
  }

  /**
   * A counter that counts events.
   * @param present series that are there with 0 before their first event; one without labels always is
   * @returns counts one
   */
  counter(metric: Metric, present: readonly (readonly string[])[] = []): (...labels: string[]) => void {
    const counts = new Map<string, { labels: readonly string[]; count: number }>();
    const seriesOf = (labels: readonly string[]) => {
      const key = labels.join("\n");
      const known = counts.get(key) ?? { labels, count: 0 };
      counts.set(key, known);
      return known;
    };
    for (const labels of metric.labels.length === 0 ? [[]] : present) seriesOf(labels);
    this.readCounter(metric, () => Array.from(counts.values(), ({ labels, count }): Series => [labels, count]));
    return (...labels) => {
      seriesOf(labels).count++;
    };
  }

  /** A histogram without labels. */
  histogram(metric: Metric): Histogram {
    return this.#histograms(metric).series();
  }

  /** A histogram with labels, for rare events. @returns observes a value */
  labelledHistogram(metric: Metric): (value: number, ...labels: string[]) => void {
    const histograms = this.#histograms(metric);
    return (value, ...labels) => histograms.series(...labels).observe(value);
  }

  #histograms(metric: Metric): LabelledHistogram {
    const histograms = new LabelledHistogram(metric);
    this.#add(metric, () => histograms.lines());
    return histograms;
  }

  #add({ name }: Metric, lines: () => Iterable<string>): void {
    if (this.#metrics.has(name)) throw new Error(`metric ${name} is there already`);
    this.#metrics.set(name, lines);
  }
}

/** Reads a metric when its turn comes, not before. */
function* lazily(lines: () => Iterable<string>): Generator<string> {
  yield* lines();
}

function* linesOf(metric: Metric, reading: Reading): Generator<string> {
  yield commentLines(metric);
  if (typeof reading === "number") return yield seriesLine(metric, [], reading);
  for (const [labels, value] of reading) yield seriesLine(metric, labels, value);
}
