import assert from "node:assert/strict";
import { agentProgram } from "../../src/cli/agent_flags.ts";
import type { Program } from "../../src/cli/program.ts";
import { serverProgram } from "../../src/cli/server_flags.ts";
import { testClientProgram } from "../../src/cli/test_client_flags.ts";
import { testServerProgram } from "../../src/cli/test_server_flags.ts";
import { documents, tables, withTables } from "../../tools/readme_tables.ts";

const root = new URL("../../", import.meta.url);

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, root));
}

/** What the original's programs export besides Go's own, without the prefix that each program has. */
const originalMetrics: Readonly<Record<"server" | "agent" | "client", readonly string[]>> = {
  server: [
    "dial_duration_seconds",
    "frontend_write_duration_seconds",
    "connection_duration_seconds",
    "grpc_connections",
    "http_connections",
    "ready_backend_connections",
    "ready_backends",
    "pending_backend_dials",
    "established_connections",
    "full_receive_channels",
    "dial_failure_count",
    "stream_packets_total",
    "stream_errors_total",
    "culled_leases_count",
    "lease_delete_latency_seconds",
    "lease_list_latency_seconds",
    "lease_delete_total",
    "lease_list_total",
  ],
  agent: [
    "dial_duration_seconds",
    "server_connection_failure_count",
    "endpoint_dial_failure_total",
    "open_server_connections",
    "known_server_count",
    "open_endpoint_connections",
    "stream_packets_total",
    "stream_errors_total",
    "lease_lists_total",
    "lease_watches_total",
    "lease_list_latency_seconds",
  ],
  client: ["stream_packets_total", "stream_errors_total", "dial_failure_total", "client_connections"],
};

/** The rows of a table in a document, each as its cells. */
function rowsOf(text: string, name: string): string[][] {
  const [, table = ""] = text.split(`<!-- ${name} -->`)[1]?.split("<!-- deno-fmt-ignore-start -->") ?? [];
  const lines = (table.split("<!-- deno-fmt-ignore-end -->")[0] ?? "").trim().split("\n").slice(2);
  return lines.map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("the tables in the documents are fresh", async () => {
  for (const document of documents) {
    const text = await read(document);
    assert.equal(text, withTables(text), `${document} is stale: run tools/readme_tables.ts`);
  }
  const reference = await read("docs/reference.md");
  for (const name of tables.keys()) assert.ok(reference.includes(`<!-- ${name} -->`), `no table ${name}`);
  assert.throws(() => withTables("<!-- flags:kubectl -->\n<!-- /flags:kubectl -->"), /there is no table flags:kubectl/);
});

Deno.test("every flag of the original is in the reference, with its default where it is another one", async () => {
  const reference = await read("docs/reference.md");
  const programs: readonly Program[] = [serverProgram, agentProgram, testClientProgram, testServerProgram];
  for (const program of programs) {
    const rows = rowsOf(reference, `flags:${program.name}`);
    for (const flag of program.flags) {
      if (flag.group === "Help") continue;
      const row = rows.find(([name]) => name?.endsWith(`--${flag.name}\``));
      assert.ok(row !== undefined, `--${flag.name} of ${program.name}`);
      const other = flag.originalDefault === undefined ? "the same" : `\`${flag.originalDefault}\``;
      assert.equal(row[3], flag.since === "ours" ? "no such flag" : other, `--${flag.name}`);
    }
  }
});

Deno.test("every metric of the original is in the reference, and so is each that was recorded from it", async () => {
  const reference = await read("docs/reference.md");
  for (const program of ["server", "agent", "client"] as const) {
    const rows = rowsOf(reference, `metrics:${program}`);
    const shown = (origin: string) =>
      rows.filter((row) => row[3] === origin).map(([name]) => name?.replaceAll("`", ""));
    const originals = originalMetrics[program].map((name) => `konnectivity_network_proxy_${program}_${name}`);
    for (const name of originals) assert.ok(shown("the same").includes(name), name);
    assert.ok(shown("no such metric").length > 0 || program === "client");
    if (program === "client") continue;
    const recorded = await read(`src/ops/testdata/original_${program}_metrics.txt`);
    for (const [, name, type] of recorded.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      const row = rows.find(([cell]) => cell === `\`${name}\``);
      assert.ok(row?.[1]?.startsWith(type ?? "?"), `${name} is a ${type}`);
    }
  }
});
