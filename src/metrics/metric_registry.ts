import { Counter, Gauge, Histogram as LabelledHistogram, Registry } from "prom-client";
import { Histogram } from "./histogram.ts";
import type { Metric } from "./metric.ts";

/** One value of a metric, with the values of its labels in their declared order. */
export type Series = readonly [labels: readonly string[], value: number];

/** A metric's values now: one number without labels, else one a series. */
export type Reading = number | Iterable<Series>;

/** The metrics of one program, in a registry of their own: nothing is global, and nothing is exported by default. */
export class MetricRegistry {
  readonly #registry = new Registry();
  readonly #histograms: Histogram[] = [];
  readonly contentType: string = this.#registry.contentType;

  /** Everything in Prometheus' text form. */
  async text(): Promise<string> {
    // prom-client parts metrics by an empty line, which nobody needs.
    const text = (await this.#registry.metrics()).replaceAll("\n\n", "\n");
    return text + this.#histograms.map((histogram) => histogram.text()).join("");
  }

  /** A gauge that is read when metrics are scraped, so that it cannot go stale. */
  gauge(metric: Metric, read: () => Reading): void {
    new Gauge({
      ...configuration(metric),
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of series(read())) this.set(named(metric, labels), value);
      },
    });
  }

  /** A counter that others keep, read when metrics are scraped. */
  readCounter(metric: Metric, read: () => Reading): void {
    new Counter({
      ...configuration(metric),
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of series(read())) this.inc(named(metric, labels), value);
      },
    });
  }

  /**
   * A counter that counts events.
   * @param present series that are there with 0 before their first event
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
    for (const labels of present) seriesOf(labels);
    this.readCounter(metric, () => Array.from(counts.values(), ({ labels, count }): Series => [labels, count]));
    return (...labels) => {
      seriesOf(labels).count++;
    };
  }

  /** A histogram without labels. */
  histogram(metric: Metric): Histogram {
    const histogram = new Histogram(metric);
    this.#histograms.push(histogram);
    return histogram;
  }

  /** A histogram with labels, for rare events. @returns observes a value */
  labelledHistogram(metric: Metric): (value: number, ...labels: string[]) => void {
    const histogram = new LabelledHistogram({
      ...configuration(metric),
      buckets: [...metric.buckets ?? []],
      registers: [this.#registry],
    });
    return (value, ...labels) => histogram.observe(named(metric, labels), value);
  }
}

function configuration({ name, help, labels }: Metric): { name: string; help: string; labelNames: string[] } {
  return { name, help, labelNames: [...labels] };
}

function series(reading: Reading): Iterable<Series> {
  return typeof reading === "number" ? [[[], reading]] : reading;
}

function named({ labels }: Metric, values: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [at, label] of labels.entries()) result[label] = values[at] ?? "";
  return result;
}
