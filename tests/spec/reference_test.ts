import assert from "node:assert/strict";
import { agentProgram } from "../../src/programs/agent/agent_flags.ts";
import type { Program } from "../../src/flags/program.ts";
import { serverProgram } from "../../src/programs/server/server_flags.ts";
import { testClientProgram } from "../../src/programs/test/test_client_flags.ts";
import { testServerProgram } from "../../src/programs/test/test_server_flags.ts";
import { recordedOriginal } from "../original/recorded.ts";
import { documents, tables, withTables } from "../../tools/readme_tables.ts";

const root = new URL("../../", import.meta.url);

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, root));
}

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
  const all = (await Promise.all(documents.map(read))).join("");
  for (const name of tables.keys()) assert.ok(all.includes(`<!-- ${name} -->`), `no table ${name}`);
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
  const { metrics } = await recordedOriginal();
  for (const program of ["server", "agent", "client"] as const) {
    const rows = rowsOf(reference, `metrics:${program}`);
    const shown = (origin: string) =>
      rows.filter((row) => row[3] === origin).map(([name]) => name?.replaceAll("`", ""));
    for (const { name } of metrics[program]) assert.ok(shown("the same").includes(name), name);
    assert.ok(shown("no such metric").length > 0 || program === "client");
    if (program === "client") continue;
    const recorded = await read(`src/metrics/testdata/original_${program}_metrics.txt`);
    for (const [, name, type] of recorded.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      const row = rows.find(([cell]) => cell === `\`${name}\``);
      assert.ok(row?.[1]?.startsWith(type ?? "?"), `${name} is a ${type}`);
    }
  }
});
