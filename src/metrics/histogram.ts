import type { Metric } from "./metric.ts";
import { commentLines, labelPairs } from "./metric_text.ts";

/** One series of a histogram. Observing is a few additions and allocates nothing, so that it can stand on the packet path. */
export class Histogram {
  readonly #bounds: Float64Array;
  /** One more than bounds: the last is for everything above. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** @param pairs its labels, as they stand between braces; empty: none */
  text(name: string, pairs: string): string {
    const before = pairs === "" ? "" : `${pairs},`;
    const labels = pairs === "" ? "" : `{${pairs}}`;
    let text = "";
    let count = 0;
    for (const [at, inBucket] of this.#counts.entries()) {
      count += inBucket;
      const bound = this.#bounds[at];
      text += `${name}_bucket{${before}le="${bound === undefined ? "+Inf" : goNumber(bound)}"} ${count}\n`;
    }
    return `${text}${name}_sum${labels} ${this.#sum}\n${name}_count${labels} ${count}\n`;
  }
}

/** A metric's histograms by the values of their labels. */
export class LabelledHistogram {
  readonly #metric: Metric;
  readonly #bounds: Float64Array;
  readonly #series = new Map<string, Histogram>();

  constructor(metric: Metric) {
    this.#metric = metric;
    this.#bounds = Float64Array.from(metric.buckets ?? []);
  }

  /** The series with these values of its labels, in their declared order. */
  series(...values: readonly string[]): Histogram {
    const pairs = labelPairs(this.#metric.labels, values);
    let series = this.#series.get(pairs);
    if (series === undefined) this.#series.set(pairs, series = new Histogram(this.#bounds));
    return series;
  }

  /** Prometheus' text form. */
  *lines(): Generator<string> {
    const { name } = this.#metric;
    yield commentLines(this.#metric);
    for (const [pairs, series] of this.#series) yield series.text(name, pairs);
  }
}

/** A bound as Go prints it: dashboards select buckets by these very letters, such as `le="1e-06"`. */
function goNumber(value: number): string {
  if (value === 0 || Math.abs(value) >= 1e-4) return String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e-");
  return `${digits}e-${exponent.padStart(2, "0")}`;
}
