import assert from "node:assert/strict";
import { differencesOnPurpose, recordedOriginal } from "../../tests/original/recorded.ts";
import { agentProgram } from "./agent/agent_flags.ts";
import type { Flag } from "../flags/flag.ts";
import type { Program } from "../flags/program.ts";
import { serverProgram } from "./server/server_flags.ts";
import { testClientProgram } from "./test/test_client_flags.ts";
import { testServerProgram } from "./test/test_server_flags.ts";

const programs: readonly Program[] = [serverProgram, agentProgram, testClientProgram, testServerProgram];

for (const program of programs) {
  Deno.test(`[server 13.7-1] [agent 9-20] ${program.name} has every flag that was recorded from the original, with its type and default, or a reason`, async () => {
    const { flags, commit } = await recordedOriginal();
    const recorded = flags[program.name] ?? [];
    assert.ok(recorded.length > 10, "flags were recorded");
    const reasons = await reasonsOf(program);
    const faults: string[] = [];
    for (const { name, type, default: original } of recorded) {
      const flag = program.flags.find((each) => each.name === name);
      if (flag === undefined || flag.hidden === true || flag.since !== "original") {
        if (!reasons.delete(`lacking ${name}`)) faults.push(`--${name} is lacking`);
        continue;
      }
      const label = flag.type.label === "" ? "bool" : flag.type.label;
      if (label !== type) faults.push(`--${name} has the type ${label}, the original's is ${type}`);
      const value = flag.type.parse(original ?? zero(type));
      if (!equal(flag.type.parse(flag.originalDefault ?? flag.default), value)) {
        faults.push(`--${name}: the original's default is ${original ?? zero(type)}`);
      }
      const ours = flag.type.parse(flag.default);
      if (!equal(ours, value) && !reasons.delete(`default ${name}`)) {
        faults.push(`--${name} has another default, ${flag.default}, without a reason in differences.json`);
      }
    }
    const names = new Set(recorded.map(({ name }) => name));
    for (const { name, since, hidden } of program.flags) {
      if (since === "ours" && names.has(name)) faults.push(`--${name} is the original's, too`);
      if (since === "ours") reasons.delete(`ahead ${name}`);
      if (since === "original" && hidden !== true && !names.has(name)) {
        faults.push(`--${name} is no flag of the original`);
      }
    }
    assert.deepEqual(faults, [], `recorded from ${commit}`);
    assert.deepEqual([...reasons], [], "differences.json names what is no difference");
  });

  Deno.test(`the flags of ${program.name} have one name each, and defaults that parse`, () => {
    const names = program.flags.flatMap((
      flag,
    ) => [flag.name, ...(flag.shorthand === undefined ? [] : [flag.shorthand])]);
    assert.equal(new Set(names).size, names.length - 1, "only v is its own shorthand");
    for (const flag of program.flags) assert.doesNotThrow(() => flag.type.parse(flag.default), flag.name);
  });
}

Deno.test("the two programs' defaults differ from the original's in these flags alone", async () => {
  const others = (flags: readonly Flag[]) => flags.filter((flag) => flag.originalDefault !== undefined);
  const named = (await differencesOnPurpose()).flags.filter(({ kind }) => kind === "default");
  assert.equal(programs.flatMap(({ flags }) => others(flags)).length, named.length);
});

/** What differs on purpose, `kind name`. */
async function reasonsOf({ name }: Program): Promise<Set<string>> {
  const { flags } = await differencesOnPurpose();
  return new Set(flags.filter(({ program }) => program === name).map(({ kind, flag }) => `${kind} ${flag}`));
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Go's help leaves out a default that is the type's zero. */
function zero(type: string): string {
  const zeros: Readonly<Record<string, string>> = {
    bool: "false",
    int: "0",
    uint: "0",
    float32: "0",
    duration: "0s",
    severity: "0",
    Level: "0",
  };
  return zeros[type] ?? "";
}
