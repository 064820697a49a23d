import assert from "node:assert/strict";
import { helpText, usageText } from "../../flags/help.ts";
import type { ParsedFlags } from "../../flags/program.ts";
import { type KonnectivityCommand, konnectivityPrograms, parseKonnectivityFlags } from "./konnectivity_flags.ts";

function refusal(parsed: ParsedFlags<KonnectivityCommand>): string {
  return parsed.kind === "error" ? parsed.message : assert.fail(JSON.stringify(parsed));
}

function textOf(parsed: ParsedFlags<KonnectivityCommand>): string {
  return parsed.kind === "help" ? parsed.text : assert.fail(JSON.stringify(parsed));
}

Deno.test("help of konnectivity lists each subcommand, and each explains its flags, exit codes and examples", () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    const text = textOf(parseKonnectivityFlags(args));
    for (const name of konnectivityPrograms.keys()) assert.match(text, new RegExp(`^ {2}${name} +\\w`, "m"));
  }
  for (const [name, program] of konnectivityPrograms) {
    const text = textOf(parseKonnectivityFlags([name, "--help"]));
    assert.equal(text, helpText(program));
    assert.match(text, new RegExp(`^Usage:\n {2}konnectivity ${name} \\[flags\\]`, "m"));
    assert.match(text, /^Exit codes:\n {2}0 {2}\w/m);
    assert.match(text, new RegExp(`^Examples:\n {2}konnectivity ${name}`, "m"));
    assert.doesNotMatch(text, /\[\+\]|original program/);
    for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
    for (const flag of program.flags) assert.match(usageText(program), new RegExp(`--${flag.name}\\b`));
  }
});

Deno.test("a subcommand that there is not, or none, is refused with those that there are", () => {
  assert.match(refusal(parseKonnectivityFlags(["stauts"])), /^unknown subcommand "stauts", one of status.* is needed$/);
  assert.match(refusal(parseKonnectivityFlags([])), /^a subcommand is needed, one of status/);
  assert.match(refusal(parseKonnectivityFlags(["--admin=x"])), /^unknown subcommand "--admin=x"/);
  assert.equal(parseKonnectivityFlags(["--version"]).kind, "version");
  assert.equal(parseKonnectivityFlags(["status", "--version"]).kind, "version");
});

Deno.test("status refuses what it cannot ask, and says how an admin port is written", () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["--admin=https://127.0.0.1:8095"], /is no http:\/\/ URL: admin ports speak HTTP without TLS$/],
    [["--admin=unix:///tmp/x"], /is no http:\/\/ URL/],
    [["--admin=http://127.0.0.1:99999"], /is no URL: write http:\/\/HOST:PORT/],
    [["--admin="], /is no URL/],
    [["--admin=http://u:p@localhost:1"], /holds a user/],
    [["--admin=localhost:1/status"], /has more than a host and a port/],
    [["--limit=-1"], /^--limit must be >= 0, got -1$/],
    [["--timeout=0s"], /^--timeout must be greater than 0$/],
    [["server"], /^unexpected argument "server": status takes flags alone$/],
    [["-o", "yaml"], /must be one of: text, json/],
    [["--tunnels"], /^unknown flag: --tunnels$/],
  ];
  for (const [args, message] of cases) assert.match(refusal(parseKonnectivityFlags(["status", ...args])), message);
});

Deno.test("status takes an admin port as URL or as HOST:PORT, also of IPv6, and both usual ones where none is named", () => {
  const admin = (...args: string[]) => {
    const parsed = parseKonnectivityFlags(["status", ...args]);
    if (parsed.kind !== "options" || parsed.options.kind !== "status") return assert.fail(JSON.stringify(parsed));
    return parsed.options.options.admin.map(String);
  };
  assert.deepEqual(admin(), ["http://127.0.0.1:8095/", "http://127.0.0.1:8094/"]);
  assert.deepEqual(admin("--admin", "localhost:8095"), ["http://localhost:8095/"]);
  assert.deepEqual(admin("--admin=http://[::1]:9"), ["http://[::1]:9/"]);
});

Deno.test("tap refuses what no program has events of, and asks for what it is told to", () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["--type=dials"], /^--type "dials" must be one of: agent-connected, .*, link-failed$/],
    [["--outcome=good"], /must be one of: ok, failed/],
    [["--timeout=0s"], /^--timeout must be greater than 0$/],
    [["server"], /^unexpected argument "server": tap takes flags alone$/],
  ];
  for (const [args, message] of cases) assert.match(refusal(parseKonnectivityFlags(["tap", ...args])), message);
  const asked = (...args: string[]) => {
    const parsed = parseKonnectivityFlags(["tap", ...args]);
    if (parsed.kind !== "options" || parsed.options.kind !== "tap") return assert.fail(JSON.stringify(parsed));
    const { types, filters } = parsed.options.options;
    return [types, filters];
  };
  assert.deepEqual(asked(), [[], {}]);
  assert.deepEqual(asked("--type=dial", "--type=readiness", "--outcome=failed", "--agent=a"), [
    ["dial", "readiness"],
    { outcome: "failed", agent: "a" },
  ]);
});

Deno.test("diag refuses what it cannot gather or write, and asks both usual admin ports, or those that are named", () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["proxy"], /^unexpected argument "proxy": write server or agent, then --/],
    [["--cpu=301"], /^--cpu must be from 0 to 300, got 301$/],
    [["--events=-1"], /^--events must be from 0 to 600, got -1$/],
    [["--timeout=0s"], /^--timeout must be greater than 0$/],
    [["--health=8093"], /^--health "8093": missing port in address$/],
    [["--admin=a,https://b"], /^--admin "https:\/\/b" is no http:\/\/ URL/],
    [["-o", "folder/"], /^-o "folder\/" is no path of a file$/],
  ];
  for (const [args, message] of cases) assert.match(refusal(parseKonnectivityFlags(["diag", ...args])), message);
  const asked = (...args: string[]) => {
    const parsed = parseKonnectivityFlags(["diag", ...args]);
    if (parsed.kind !== "options" || parsed.options.kind !== "diag") return assert.fail(JSON.stringify(parsed));
    const { admin, health } = parsed.options.options;
    return [admin.map(({ host }) => host), health.map(({ host, port }) => `${host} ${port}`)];
  };
  assert.deepEqual(asked()[0], ["127.0.0.1:8095", "127.0.0.1:8094"]);
  assert.deepEqual(asked("--admin=[::1]:9,[::1]:9", "--admin", "a:1", "--health=b:2"), [
    ["[::1]:9", "a:1"],
    ["::1 8093", "::1 8093", "a 8093", "b 2"],
  ]);
});
