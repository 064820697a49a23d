import assert from "node:assert/strict";
import { agentProgram, parseAgentFlags } from "./agent/agent_flags.ts";
import type { Flag } from "../flags/flag.ts";
import type { ParsedFlags, Program } from "../flags/program.ts";
import { parseServerFlags, serverProgram } from "./server/server_flags.ts";
import { parseTestClientFlags, testClientProgram } from "./test/test_client_flags.ts";
import { parseTestServerFlags, testServerProgram } from "./test/test_server_flags.ts";

const env = () => "id";

/** Flags of klog that have nothing to act on here: they are parsed, as the original does. */
const withoutEffect: ReadonlySet<string> = new Set(["log-backtrace-at", "add-dir-header"]);

const programs: readonly [Program, (args: string[]) => ParsedFlags<unknown>][] = [
  [serverProgram, (args) => parseServerFlags(args, env)],
  [agentProgram, (args) => parseAgentFlags(args, env)],
  [testClientProgram, parseTestClientFlags],
  [testServerProgram, parseTestServerFlags],
];

for (const [program, parse] of programs) {
  Deno.test(`every flag of ${program.name} changes one option, and no two the same`, () => {
    const defaults = optionsOf(parse([]));
    const changedBy = new Map<string, string>();
    for (const flag of program.flags.filter((each) => each.group !== "Help" && each.aliasOf === undefined)) {
      const changed = difference(defaults, optionsOf(parse([`--${flag.name}=${otherValue(flag)}`])));
      if (withoutEffect.has(flag.name)) {
        assert.deepEqual(changed, [], flag.name);
        continue;
      }
      assert.equal(changed.length, 1, `--${flag.name} changes ${changed.join(" and ")}`);
      const [path = ""] = changed;
      assert.equal(changedBy.get(path), undefined, `${path} is changed by --${flag.name} and another flag`);
      changedBy.set(path, flag.name);
    }
  });
}

function optionsOf(parsed: ParsedFlags<unknown>): Map<string, string> {
  if (parsed.kind !== "options") return assert.fail(JSON.stringify(parsed));
  return flatten("", parsed.options);
}

/** Each leaf's path and value. */
function flatten(path: string, value: unknown): Map<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return new Map([[path, JSON.stringify(value)]]);
  }
  return new Map(Object.entries(value).flatMap(([key, each]) => [...flatten(`${path}.${key}`, each)]));
}

function difference(one: Map<string, string>, other: Map<string, string>): string[] {
  return [...other].filter(([path, value]) => one.get(path) !== value).map(([path]) => path);
}

function otherValue(flag: Flag): string {
  const byLabel: Readonly<Record<string, string>> = {
    "": flag.default === "true" ? "false" : "true",
    duration: "17s",
    Level: "9",
    severity: "1",
    moduleSpec: "a=1",
    traceLocation: "a.ts:1",
    "NAME=destinations": "a=b",
    "auto|grpc": "grpc",
    "own|runtime": "runtime",
    "text|json": "json",
    int: "12345",
    uint: "12345",
    float32: "2.5",
  };
  return byLabel[flag.type.label] ?? "other";
}
