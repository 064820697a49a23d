import assert from "node:assert/strict";
import { agentProgram } from "./agent/agent_flags.ts";
import { flagTable } from "../flags/flag_docs.ts";
import { helpText, usageText } from "../flags/help.ts";
import { type Program, refusalText } from "../flags/program.ts";
import { serverProgram } from "./server/server_flags.ts";
import { testClientProgram } from "./test/test_client_flags.ts";
import { testServerProgram } from "./test/test_server_flags.ts";

const programs: readonly Program[] = [serverProgram, agentProgram, testClientProgram, testServerProgram];

for (const program of programs) {
  Deno.test(`help of ${program.name} explains each flag once, within 100 columns`, () => {
    const text = helpText(program);
    for (const flag of program.flags) {
      const found = text.split("\n").filter((line) => new RegExp(`^ {2}(-., | {4})--${flag.name}( |$)`).test(line));
      assert.equal(found.length, flag.hidden === true ? 0 : 1, `--${flag.name}`);
    }
    for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
  });

  Deno.test(`usage of ${program.name} names each flag and is short`, () => {
    const text = usageText(program);
    for (const flag of program.flags.filter((each) => each.hidden !== true)) {
      assert.match(text, new RegExp(`--${flag.name}\\b`));
    }
    assert.ok(text.split("\n").length <= 35);
  });

  Deno.test(`the README's table of ${program.name} has a row of five cells for each flag`, () => {
    const [head, rule, ...rows] = flagTable(program).trimEnd().split("\n");
    assert.match(head ?? "", /^\| flag \|/);
    assert.equal(rule, "|---|---|---|---|---|");
    const flags = program.flags.filter((flag) => flag.group !== "Help");
    assert.equal(rows.length, flags.length);
    for (const [index, flag] of flags.entries()) {
      assert.match(rows[index] ?? "", new RegExp(`^\\| \`(-., )?--${flag.name}\` \\|`));
      assert.equal(rows[index]?.split(/(?<!\\)\|/).length, 7, rows[index] ?? "");
    }
  });
}

Deno.test("help says what the default is, where the original's is another, and what is ours", () => {
  const text = helpText(serverProgram).replaceAll(/\n +/g, " ");
  assert.match(text, /--mode string what clients speak: .* \(default "grpc"\)/);
  assert.match(text, /--backend-dial-timeout duration .* \(default 30s; the original's: 0s\)/);
  assert.match(text, /--keepalive-time duration .* \(default 10s; the original's: 1h0m0s\)/);
  assert.match(text, /--server-id string .* \(default a random UUID\) \[env PROXY_SERVER_ID\]/);
  assert.match(text, /--allow-unauthenticated-agents \[\+\] /);
  assert.doesNotMatch(text, /--server-cert string [^-]*\(default/);
});

Deno.test("a refusal begins with the error, as the original's does", () => {
  const text = refusalText("unknown flag: --x", usageText(testServerProgram));
  assert.match(text, /^Error: unknown flag: --x\nUsage:\n {2}http-test-server \[flags\]\n/);
});

Deno.test("the README's table tells the default, the original's, and the environment", () => {
  const table = flagTable(serverProgram);
  assert.match(
    table,
    /\| `--server-id` \| string \| `PROXY_SERVER_ID` in the environment, else a random UUID \| the same \|/,
  );
  assert.match(table, /\| `--backend-dial-timeout` \| duration \| `30s` \| `0s` \|/);
  assert.match(table, /\| `--link-protocol` \| auto\\\|grpc \| `"auto"` \| no such flag \|/);
  assert.match(table, /\| `--server-cert` \| string \| `""` \| the same \|/);
  assert.match(table, /\| `--warn-on-channel-limit` .* deprecated: /);
});
