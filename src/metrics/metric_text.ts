import type { Metric } from "./metric.ts";

/** What Prometheus' text form is called over HTTP. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/** How long lines are made before whatever else there is to do has its turn, in milliseconds. */
const sliceMs = 5;

/** Lines between two looks at the clock. */
const linesOfStep = 256;

/**
 * The text of many metrics. There may be a series for each of thousands of agents, so that the event loop is held for some
 * milliseconds at most: what is read meanwhile may be of different moments.
 */
export async function textInSlices(metrics: Iterable<Iterable<string>>): Promise<string> {
  const lines: string[] = [];
  let sliceEnd = performance.now() + sliceMs;
  const pause = async () => {
    if (performance.now() <= sliceEnd) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    sliceEnd = performance.now() + sliceMs;
  };
  for (const metric of metrics) {
    for (const line of metric) {
      lines.push(line);
      if (lines.length % linesOfStep === 0) await pause();
    }
    await pause();
  }
  return lines.join("");
}

/** The comments before a metric's series. */
export function commentLines({ name, help, type }: Metric): string {
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;
}

/** One series of a metric. @param values of its labels, in their declared order */
export function seriesLine({ name, labels }: Metric, values: readonly string[], value: number): string {
  if (labels.length === 0) return `${name} ${numberText(value)}\n`;
  return `${name}{${labelPairs(labels, values)}} ${numberText(value)}\n`;
}

/** Labels with their values, as they stand between braces. */
export function labelPairs(labels: readonly string[], values: readonly string[]): string {
  let text = "";
  for (const [at, label] of labels.entries()) {
    text += `${at === 0 ? "" : ","}${label}="${escaped(values[at] ?? "").replaceAll('"', '\\"')}"`;
  }
  return text;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
