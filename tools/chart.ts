/**
 * `deno task chart`: writes what exists in more than one form, from the one that is written by hand:
 * - the alerts for the Prometheus operator and for the chart, from examples/kubernetes/monitoring/rules.yaml
 * - the chart's dashboard, from examples/kubernetes/monitoring/grafana-dashboard.json
 * - the chart's values.yaml, from the descriptions and defaults in its values.schema.json
 * - the versions in Chart.yaml, from deno.json
 *
 * With `--check` nothing is written, and the exit code is 1 when a file is stale.
 * @module
 */
import { stringify } from "yaml";
import { print, printError } from "../src/programs/terminal.ts";

const root = new URL("../", import.meta.url);
const monitoring = "examples/kubernetes/monitoring";
const chart = "charts/konnectivity";

/** A value of the chart as its schema describes it; those with `properties` have others below them. */
interface ValueSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
}

/** One value of the chart that a user sets. */
export interface ChartValue {
  /** Its path, such as `agent.replicas`. */
  readonly path: string;
  readonly type: string;
  /** As JSON. */
  readonly default: string;
  readonly description: string;
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, root));
}

/** The schema of the chart's values. */
export async function chartSchema(): Promise<ValueSchema> {
  return JSON.parse(await read(`${chart}/values.schema.json`));
}

/** The values that a schema describes, each with its path. @throws {Error} for one without a description or a default */
export function chartValues(schema: ValueSchema, prefix = ""): ChartValue[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const path = prefix + name;
    if (value.description === undefined) throw new Error(`${path} has no description`);
    if (value.properties !== undefined) return chartValues(value, `${path}.`);
    if (value.default === undefined) throw new Error(`${path} has no default`);
    return [{
      path,
      type: typeOf(value),
      default: JSON.stringify(value.default),
      description: value.description,
    }];
  });
}

/** How the schema's definitions are called in documents. */
const definitions: Readonly<Record<string, string>> = {
  name: "string",
  port: "port",
  listenPort: "port from 1024 to 49151",
  duration: "duration",
  folder: "path",
  flags: "flags",
  objects: "array",
  labels: "map",
};

function typeOf({ enum: choices, $ref, type = [] }: ValueSchema): string {
  if (choices !== undefined) return choices.map((each) => JSON.stringify(each)).join(", ");
  if ($ref === undefined) return [type].flat().join(" or ");
  return definitions[$ref.replace("#/definitions/", "")] ?? $ref;
}

const commentChars = 118;

function comment(text: string, indent: string): string {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + word.length >= commentChars) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n") + "\n";
}

/** The text of values.yaml: each default, with its description above it. */
function valuesText(schema: ValueSchema, indent = ""): string {
  return Object.entries(schema.properties ?? {}).map(([name, value]) => {
    const about = comment(value.description ?? "", indent);
    if (value.properties !== undefined) return `${about}${indent}${name}:\n${valuesText(value, `${indent}  `)}`;
    const text = stringify({ [name]: value.default }, { lineWidth: 0 }).trimEnd();
    return `${about}${text.split("\n").map((line) => indent + line).join("\n")}\n`;
  }).join("");
}

/** The rules below their comment, as they stand in a PrometheusRule's spec. */
function prometheusRule(rules: string): string {
  const groups = rules.slice(rules.indexOf("groups:"));
  return `# The alerts of rules.yaml for the Prometheus operator: written by \`deno task chart\`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: konnectivity
  namespace: kube-system
  labels:
    k8s-app: konnectivity
spec:
${groups.trimEnd().split("\n").map((line) => `  ${line}`).join("\n")}
`;
}

/** Every file that is written, with its text. */
export async function writtenFiles(): Promise<ReadonlyMap<string, string>> {
  const rules = await read(`${monitoring}/rules.yaml`);
  const { version } = JSON.parse(await read("deno.json"));
  const schema = await chartSchema();
  chartValues(schema);
  return new Map([
    [`${monitoring}/prometheus-rule.yaml`, prometheusRule(rules)],
    [
      `${chart}/files/rules.yaml`,
      `# Written by \`deno task chart\` from ${monitoring}/rules.yaml.\n${rules.slice(rules.indexOf("groups:"))}`,
    ],
    [`${chart}/files/grafana-dashboard.json`, await read(`${monitoring}/grafana-dashboard.json`)],
    [
      `${chart}/values.yaml`,
      `# Written by \`deno task chart\` from values.schema.json, which refuses what it does not know.\n${
        valuesText(schema)
      }`,
    ],
    [
      `${chart}/Chart.yaml`,
      (await read(`${chart}/Chart.yaml`)).replace(/^version: .*$/m, `version: ${version}`)
        .replace(/^appVersion: .*$/m, `appVersion: "${version}"`),
    ],
  ]);
}

async function main(args: readonly string[]): Promise<number> {
  let stale = 0;
  for (const [path, text] of await writtenFiles()) {
    if (await read(path).catch(() => undefined) === text) continue;
    stale++;
    if (args.includes("--check")) printError(`${path} is stale; run deno task chart`);
    else {
      await Deno.writeTextFile(new URL(path, root), text);
      print(`wrote ${path}`);
    }
  }
  return args.includes("--check") && stale > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
