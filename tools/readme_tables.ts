/**
 * Writes the tables of flags and metrics into the documents, between markers such as `<!-- flags:proxy-server -->` and
 * `<!-- /flags:proxy-server -->`, from the same tables that drive the programs:
 * `deno run --allow-read --allow-write tools/readme_tables.ts`. With `--check` nothing is written, and the exit code is 1
 * when a table is stale.
 * @module
 */
import chartSchema from "../charts/konnectivity/values.schema.json" with { type: "json" };
import differences from "../docs/original/differences.json" with { type: "json" };
import { agentProgram } from "../src/programs/agent/agent_flags.ts";
import { flagTable } from "../src/flags/flag_docs.ts";
import type { Program } from "../src/flags/program.ts";
import { type Refusal, refusals } from "../src/programs/refusals.ts";
import { konnectivityPrograms } from "../src/programs/konnectivity/konnectivity_flags.ts";
import { serverProgram } from "../src/programs/server/server_flags.ts";
import { chartValues } from "./chart.ts";
import { print, printError } from "../src/programs/terminal.ts";
import { testClientProgram } from "../src/programs/test/test_client_flags.ts";
import { testServerProgram } from "../src/programs/test/test_server_flags.ts";
import { type MetricRow, metricsTable } from "../src/metrics/metrics_table.ts";

/** Documents that hold tables; those that do not exist are passed over. */
export const documents: readonly string[] = [
  "README.md",
  "docs/reference.md",
  "docs/migration.md",
  "charts/konnectivity/README.md",
];

const programs: readonly Program[] = [serverProgram, agentProgram, testClientProgram, testServerProgram];

/** A table's text by its marker's name. */
export const tables: ReadonlyMap<string, () => string> = new Map([
  ...programs.map((program) => [`flags:${program.name}`, () => flagTable(program)] as const),
  ...[...konnectivityPrograms].filter(([, { flags }]) => flags.some(({ group }) => group !== "Help")).map((
    [name, program],
  ) => [`flags:konnectivity-${name}`, () => flagTable(program)] as const),
  ...(["server", "agent", "client"] as const).map((program) =>
    [`metrics:${program}`, () => metricTable(program)] as const
  ),
  ...(["proxy-server", "proxy-agent"] as const).map((program) =>
    [`refusals:${program}`, () => refusalTable(program)] as const
  ),
  ["differences:flags", flagDifferences],
  ["differences:metrics", metricDifferences],
  ["values:konnectivity", valuesTable],
]);

function refusalTable(program: Refusal["program"]): string {
  const rows = refusals.filter((each) => each.program === program).map(({ what, original, why, instead }) =>
    `| ${[what, original, why, instead].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  );
  return ["| refused | the original | why | instead |", "|---|---|---|---|", ...rows].join("\n") + "\n";
}

/** The values of the chart. */
function valuesTable(): string {
  const rows = chartValues(chartSchema).map(({ path, type, default: value, description }) =>
    `| ${[`\`${path}\``, type, `\`${value}\``, description].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  );
  return ["| value | type | default | meaning |", "|---|---|---|---|", ...rows].join("\n") + "\n";
}

function flagDifferences(): string {
  const kinds: Readonly<Record<string, string>> = {
    default: "another default",
    lacking: "not here",
    ahead: "not in the original yet",
  };
  const rows = differences.flags.map(({ program, flag, kind, reason }) =>
    `| ${program} | \`--${flag}\` | ${kinds[kind] ?? kind} | ${reason} |`
  );
  return ["| program | flag | | why |", "|---|---|---|---|", ...rows].join("\n") + "\n";
}

function metricDifferences(): string {
  const rows = differences.metrics.map(({ metric, mode, reason }) => `| \`${metric}\` | ${mode ?? ""} | ${reason} |`);
  const lacking = differences.lacking.map(({ names, reason }) => `| \`${names}\` | | not here: ${reason} |`);
  return ["| metric | only with `--mode` | difference |", "|---|---|---|", ...rows, ...lacking].join("\n") + "\n";
}

/** A program's metrics as a Markdown table, the original's first. */
export function metricTable(program: MetricRow["program"]): string {
  const rows = metricsTable().filter((row) => row.program === program);
  const lines = [
    ...rows.filter(({ origin }) => origin === "original"),
    ...rows.filter(({ origin }) => origin === "ours"),
  ].map(metricRow);
  return ["| metric | type | labels | the original | what it says |", "|---|---|---|---|---|", ...lines].join("\n") +
    "\n";
}

function metricRow({ name, type, labels, buckets, origin, help }: MetricRow): string {
  const cells = [
    `\`${name}\``,
    buckets === undefined ? type : `${type}: ${buckets.join(", ")}`,
    labels.map((label) => `\`${label}\``).join(", "),
    origin === "original" ? "the same" : "no such metric",
    help,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const marker = /<!-- ((?:flags|metrics|differences|refusals|values):[\w-]+) -->\n[^]*?<!-- \/\1 -->/g;

/**
 * A document with every marked table as it should be. The formatter leaves the tables alone: it would pad their cells.
 * @throws {Error} for a marker whose table there is not
 */
export function withTables(text: string): string {
  return text.replaceAll(marker, (_, name: string) => {
    const table = tables.get(name);
    if (table === undefined) throw new Error(`there is no table ${name}; there are ${[...tables.keys()].join(", ")}`);
    const lines = ["<!-- deno-fmt-ignore-start -->", "", table().trimEnd(), "", "<!-- deno-fmt-ignore-end -->"];
    return `<!-- ${name} -->\n${lines.join("\n")}\n<!-- /${name} -->`;
  });
}

async function main(args: readonly string[]): Promise<number> {
  const check = args.includes("--check");
  let stale = 0;
  for (const document of documents) {
    const path = new URL(`../${document}`, import.meta.url);
    let text: string;
    try {
      text = await Deno.readTextFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    const next = withTables(text);
    if (next === text) continue;
    stale++;
    if (check) {
      printError(`${document} has stale tables; run tools/readme_tables.ts`);
    } else {
      await Deno.writeTextFile(path, next);
      print(`wrote the tables of ${document}`);
    }
  }
  return check && stale > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
