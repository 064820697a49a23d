import type { Metric } from "./metric.ts";

/**
 * A histogram without labels. Observing is a few additions and allocates nothing, so that it can stand on the packet
 * path, where prom-client's would make an object and a closure for each packet.
 */
export class Histogram {
  readonly #metric: Metric;
  readonly #bounds: Float64Array;
  /** One more than bounds: the last is for everything above. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(metric: Metric) {
    this.#metric = metric;
    this.#bounds = Float64Array.from(metric.buckets ?? []);
    this.#counts = new Float64Array(this.#bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** Prometheus' text form. */
  text(): string {
    const { name, help } = this.#metric;
    let text = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
    let count = 0;
    for (const [at, inBucket] of this.#counts.entries()) {
      count += inBucket;
      const bound = this.#bounds[at];
      text += `${name}_bucket{le="${bound === undefined ? "+Inf" : goNumber(bound)}"} ${count}\n`;
    }
    return `${text}${name}_sum ${this.#sum}\n${name}_count ${count}\n`;
  }
}

/** A bound as Go prints it: dashboards select buckets by these very letters, such as `le="1e-06"`. */
function goNumber(value: number): string {
  if (value === 0 || Math.abs(value) >= 1e-4) return String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e-");
  return `${digits}e-${exponent.padStart(2, "0")}`;
}
