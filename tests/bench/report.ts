import { type Plot, plotSvg, type Series, short } from "./plot.ts";
import { type Measured, median, type Results } from "./results.ts";

/** A number with as many digits as are worth reading. */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return "";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(2)));
}

/** A table of Markdown. @param texts columns that hold text, the first ones */
function table(head: readonly string[], rows: readonly (readonly string[])[], texts: number = 2): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, at) => at < texts ? "---" : "---:")), ...rows.map(line)].join("\n");
}

function distinct<T>(values: Iterable<T>): T[] {
  return [...new Set(values)];
}

/**
 * The figures as a table: a line for each, a column for each mode. With several implementations each cell has the first
 * one's value and, in brackets, what it is over each other's.
 */
export function figuresTable(results: Results): string {
  const { measured, failed, facts } = results;
  const [first, ...others] = facts.implementations.map(({ name }) => name);
  // What failed in a curve has a mode of its own.
  const works = new Set(measured.map(({ scenario }) => scenario));
  const modes = distinct(
    [...measured, ...failed.filter(({ scenario }) => works.has(scenario))].map(({ mode }) => mode),
  );
  const lines = distinct(
    measured.map(({ scenario, figure, unit }) => JSON.stringify([scenario, `${figure}, ${unit}`])),
  );
  const find = (implementation: string | undefined, mode: string, line: string) =>
    measured.find((each) =>
      each.implementation === implementation && each.mode === mode &&
      JSON.stringify([each.scenario, `${each.figure}, ${each.unit}`]) === line
    );
  const rows = lines.map((line) => {
    const [scenario = "", figure = ""]: string[] = JSON.parse(line);
    return [
      scenario,
      figure,
      ...modes.map((mode) => {
        const own = find(first, mode, line);
        const ratios = others.map((other) => ratio(own, find(other, mode, line)));
        return [own === undefined ? "failed" : readable(median(own.values)), ...ratios.map((each) => `(${each})`)].join(
          " ",
        );
      }),
    ];
  });
  const title = [first ?? "", ...others.map((other) => `over ${other}`)].join(", ");
  const failures = failed.map(({ implementation, mode, scenario, reason }) =>
    `- ${implementation}, ${mode}, ${scenario}: ${reason.split("\n")[0]}`
  );
  return [
    ...(others.length === 0 ? [] : [`Medians of ${title} (in brackets).\n`]),
    ...(rows.length === 0 ? [] : [table(["work", "figure", ...modes], rows)]),
    ...(failures.length === 0 ? [] : [`\nWhat failed:\n\n${distinct(failures).join("\n")}`]),
  ].join("\n");
}

/** What grows in the curves of many agents on one server. */
export const fleetCurve = "linked agents";

/**
 * What many agents on one server cost: a line for each figure, a column for each kind of link and number of agents, with
 * the values of all implementations one after the other.
 */
export function fleetTable({ curves, facts }: Results): string {
  const points = curves.filter(({ curve }) => curve === fleetCurve);
  if (points.length === 0) return "";
  const columns = distinct(points.map(({ mode, at }) => JSON.stringify([mode, at])));
  const rows = distinct(points.map(({ figure, unit }) => `${figure}, ${unit}`)).map((line) => [
    line,
    ...columns.map((column) =>
      facts.implementations.map(({ name }) => {
        const found = points.find(({ implementation, figure, unit, mode, at }) =>
          implementation === name && `${figure}, ${unit}` === line && JSON.stringify([mode, at]) === column
        );
        return found === undefined ? "-" : readable(found.value);
      }).join(" / ")
    ),
  ]);
  const heads = columns.map((column) => {
    const [mode, at]: [string, number] = JSON.parse(column);
    return `${mode}, ${short(at)}`;
  });
  return table(["figure", ...heads], rows, 1);
}

function ratio(own: Measured | undefined, other: Measured | undefined): string {
  if (other === undefined) return "it failed";
  return own === undefined ? "-" : `${(median(own.values) / median(other.values)).toFixed(2)} x`;
}

const curveTitles: Readonly<Record<string, string>> = {
  tunnels: "open tunnels",
  "write size": "bytes of one write (of a DATA packet in gRPC)",
  agents: "agents",
  distance: "distance between agent and server, ms one way",
  [fleetCurve]: "agents with a link",
  churn: "minutes of connections that come and go",
};

/** Figures that belong into one plot. */
const subjects: readonly (readonly [words: RegExp, subject: string])[] = [
  [/^ping p\d+$/, "ping"],
  [/^loaded ping /, "loaded ping"],
  [/ RSS$/, "memory"],
  [/ CPU$/, "CPU"],
  [/^time to /, "time"],
  [/^ping .* in a storm$/, "ping in a storm"],
  [/^server CPU of a /, "server CPU"],
  [/^(?:held|took|size) by /, "pages"],
];

/** The cost curves as plots, by file name. */
export function curvePlots(results: Results): Map<string, Plot> {
  const plots = new Map<string, Plot>();
  const several = results.facts.implementations.length > 1;
  for (const curve of distinct(results.curves.map((point) => point.curve))) {
    const points = results.curves.filter((point) => point.curve === curve);
    // What has one unit and one subject belongs into one plot: both percentiles, both programs' memory.
    const group = ({ figure, unit }: { figure: string; unit: string }) =>
      `${subjects.find(([words]) => words.test(figure))?.[1] ?? figure}, ${unit}`;
    for (const subject of distinct(points.map(group))) {
      const [name = "", unit = ""] = subject.split(", ");
      const chosen = points.filter((point) => group(point) === subject);
      const series = distinct(
        chosen.map(({ implementation, mode, figure }) =>
          [...(several ? [implementation] : []), mode, ...(figure === name ? [] : [figure])].join(" ")
        ),
      ).map((label): Series => ({
        name: label,
        points: chosen.filter(({ implementation, mode, figure }) =>
          [...(several ? [implementation] : []), mode, ...(figure === name ? [] : [figure])].join(" ") === label
        ).map(({ at, value }) => [at, value] as const),
      }));
      plots.set(`${curve}-${name}.svg`.replaceAll(" ", "-"), {
        title: `${name} against ${curve}`,
        xLabel: curveTitles[curve] ?? curve,
        yLabel: unit,
        series,
      });
    }
  }
  return plots;
}

const fleetWords =
  "Agents of this project in few processes of this machine, which therefore does both ends of each link. " +
  "Held: how much longer than usual /healthz takes at worst while the page is read. In a storm: what a neighbour's tunnel " +
  "and dials see while all agents, lost at once, link again. Back: from the death of the server on, its start included.";

/** The whole report as Markdown. @param plots where its pictures are, relative to it */
export function report(results: Results, plots: string): string {
  const { facts } = results;
  const fleets = fleetTable(results);
  const pictures = [...curvePlots(results)].map(([file, { title }]) => `![${title}](${plots}/${file})`);
  return `# Benchmarks

Written by \`${facts.command}\`: ${facts.rounds} rounds, medians. Client and destination run on the same machine as server and
agent, so that figures of different machines, or of different runs, cannot be compared; ratios within one run can.
MB/s are 10^6 bytes a second. Certificates are P-256. Each dial has a connection to the frontend of its own, one round
trip, and an end in order.

- machine: ${facts.machine}
- ${facts.versions.join(", ")}
${facts.implementations.map(({ name, server, agent }) => `- ${name}: \`${server}\` and \`${agent}\``).join("\n")}

## Figures

${figuresTable(results)}
${fleets === "" ? "" : `\n## Many agents on one server\n\n${fleetWords}\n\n${fleets}\n`}${
    pictures.length === 0 ? "" : `\n## What more costs\n\n${pictures.join("\n\n")}\n`
  }`;
}

/** Writes the report and its pictures into a folder. */
export async function writeReport(results: Results, folder: string): Promise<void> {
  const plots = "docs/bench";
  await Deno.mkdir(`${folder}/${plots}`, { recursive: true });
  for (const [file, plot] of curvePlots(results)) {
    await Deno.writeTextFile(`${folder}/${plots}/${file}`, plotSvg(plot));
  }
  await Deno.writeTextFile(`${folder}/BENCHMARKS.md`, report(results, plots));
  await Deno.writeTextFile(`${folder}/${plots}/results.json`, `${JSON.stringify(results, null, 2)}\n`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--line-width=120", `${folder}/BENCHMARKS.md`],
  }).output();
  if (!success) throw new Error(`deno fmt cannot read ${folder}/BENCHMARKS.md`);
}
