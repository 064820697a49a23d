import type { Metric, WorkersRule } from "./metric.ts";

/** A metric in Prometheus' text form: its lines of comment, and its series by their name and labels as they are written. */
interface Family {
  readonly comments: string[];
  readonly series: Map<string, number>;
}

/**
 * One text of metrics from those of several workers of one process: the sum of each series, unless the metric's
 * declaration says otherwise.
 * @param own text of the part of the process that is no worker; where it has a metric of the whole process, that counts
 * @param workers their texts
 */
export function mergeMetrics(
  own: string,
  workers: readonly string[],
  declarations: Iterable<Metric>,
): string {
  const rules = new Map<string, WorkersRule>();
  for (const { name, ofWorkers } of declarations) if (ofWorkers !== undefined) rules.set(name, ofWorkers);
  const merged = new Map<string, Family>();
  for (const text of [own, ...workers]) {
    for (const [name, { comments, series }] of familiesOf(text)) {
      let family = merged.get(name);
      if (family === undefined) merged.set(name, family = { comments, series: new Map() });
      const join = joining(rules.get(name));
      for (const [key, value] of series) {
        const before = family.series.get(key);
        family.series.set(key, before === undefined ? value : join(before, value));
      }
    }
  }
  let text = "";
  for (const { comments, series } of merged.values()) {
    for (const comment of comments) text += `${comment}\n`;
    for (const [key, value] of series) text += `${key} ${value}\n`;
  }
  return text;
}

/** The value of a series without labels; 0 where there is none. */
export function metricValue(text: string, name: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

function joining(rule: WorkersRule | undefined): (one: number, two: number) => number {
  switch (rule) {
    case "max":
      return Math.max;
    case "min":
      return Math.min;
    case "process":
      return (first) => first;
    case undefined:
      return (one, two) => one + two;
  }
}

/** Every metric begins with a line `# HELP name …`, as all that this project writes do. */
function familiesOf(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) {
      family = { comments: [line], series: new Map() };
      families.set(line.split(" ", 3)[2] ?? "", family);
    } else if (line.startsWith("#")) {
      family?.comments.push(line);
    } else if (line !== "") {
      // Labels may hold spaces, values do not, and there are no timestamps.
      const space = line.lastIndexOf(" ");
      family?.series.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
  }
  return families;
}
