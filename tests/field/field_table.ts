/**
 * Writes the table of docs/distributions.md from the corpus: `deno run -A tests/field/field_table.ts`.
 * @module
 */
import type { FieldCase } from "./field_case.ts";
import { distributions } from "./distributions.ts";

const path = new URL("../../docs/distributions.md", import.meta.url);

/** The corpus as a Markdown table, without a line's end at its end. */
export function fieldTable(): string {
  return [
    "| distribution | clients | agents prove themselves by | result | what must be edited | notes |",
    "|---|---|---|---|---|---|",
    ...distributions.map(rowOf),
  ].join("\n");
}

function rowOf(field: FieldCase): string {
  const cells = [field.distribution, clientsOf(field), agentsOf(field), resultOf(field), editOf(field), notesOf(field)];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function clientsOf({ mode, frontend }: FieldCase): string {
  const protocol = mode === "grpc" ? "gRPC" : "HTTP CONNECT";
  return `${protocol}, ${"uds" in frontend ? "Unix socket" : "TCP with mutual TLS"}`;
}

function agentsOf({ agents, api }: FieldCase): string {
  const proof = { token: "token", certificate: "certificate", nobody: "nothing" }[agents];
  return api === "leases" ? `${proof}; they count leases` : proof;
}

function resultOf({ refusal, neverReady }: FieldCase): string {
  if (refusal !== undefined) {
    return refusal.original === "refuses"
      ? `refused, as by the original: \`${refusal.says}\``
      : `the ${refusal.of} is refused: \`${refusal.says}\``;
  }
  return neverReady === undefined ? "works" : "starts, as with the original";
}

function editOf({ edit, refusal, server, agent }: FieldCase): string {
  if (refusal?.original === "refuses") return "—";
  const limits = Object.entries({ server, agent }).filter(([, { overLimit }]) => overLimit === true).map((
    [machine, { memoryLimitMi }],
  ) => `${machine}: raise the memory limit of ${memoryLimitMi}Mi to 64Mi`);
  return [...(edit === undefined ? [] : [edit]), ...limits].join("; ") || "nothing";
}

/** What is special, and the metrics that are read and are not there. */
function notesOf({ notes, metrics = [] }: FieldCase): string {
  const missing = [...new Set(metrics.filter((metric) => metric.missing === true).map(({ name }) => `\`${name}\``))];
  return missing.length === 0 ? notes : `${notes}; not there: ${missing.join(", ")}`;
}

const marker = /<!-- distributions -->\n[^]*<!-- \/distributions -->/;

/** The document with its table as it should be. @throws where it has no place for one */
export function withFieldTable(text: string): string {
  if (!marker.test(text)) throw new Error("docs/distributions.md has no place for its table");
  const lines = [
    "<!-- distributions -->",
    "<!-- deno-fmt-ignore-start -->",
    "",
    fieldTable(),
    "",
    "<!-- deno-fmt-ignore-end -->",
    "<!-- /distributions -->",
  ];
  // As a function: the table has dollar signs.
  return text.replace(marker, () => lines.join("\n"));
}

if (import.meta.main) await Deno.writeTextFile(path, withFieldTable(await Deno.readTextFile(path)));
