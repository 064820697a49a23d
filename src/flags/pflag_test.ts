import assert from "node:assert/strict";
import { bool, duration, type Flag, helpFlags, inGroup, int, string, strings } from "./flag.ts";
import { FlagError, type FlagErrorCode } from "./flag_error.ts";
import { klogFlags } from "../programs/klog_flags.ts";
import { parseArgs } from "./pflag.ts";

const flags: readonly Flag[] = [
  ...inGroup("Test", [
    { name: "name", type: string, default: "nobody", help: "" },
    { name: "port", type: int, default: "80", help: "" },
    { name: "enable", type: bool, default: "false", help: "" },
    { name: "list", type: strings, default: "x,y", help: "" },
    { name: "ttl", type: duration, default: "1h", help: "" },
    { name: "old", type: string, default: "", help: "", deprecated: "use --name", hidden: true },
    { name: "other-name", type: string, default: "", help: "", aliasOf: "name", deprecated: "Use --name instead" },
  ]),
  ...klogFlags(4),
  ...helpFlags,
];

function refuses(args: string[], code: FlagErrorCode, message: string): void {
  assert.throws(() => parseArgs(flags, args), (error) => {
    assert.ok(error instanceof FlagError);
    assert.equal(error.message, message);
    assert.equal(error.code, code);
    return true;
  });
}

Deno.test("--name=value and --name value mean the same; the last one counts", () => {
  for (const args of [["--name=a"], ["--name", "a"], ["--name=b", "--name", "a"]]) {
    assert.equal(parseArgs(flags, args).values.string("name"), "a");
  }
  assert.equal(parseArgs(flags, ["--name="]).values.string("name"), "");
  assert.equal(parseArgs(flags, ["--name", ""]).values.string("name"), "");
  assert.equal(parseArgs(flags, ["--name=a=b"]).values.string("name"), "a=b");
  assert.equal(parseArgs(flags, ["--name", "--port"]).values.string("name"), "--port", "even what looks like a flag");
  assert.equal(parseArgs(flags, ["--port", "-1"]).values.number("port"), -1);
});

Deno.test("a switch takes its value behind an equals sign only", () => {
  assert.equal(parseArgs(flags, ["--enable"]).values.bool("enable"), true);
  assert.equal(parseArgs(flags, ["--enable=false"]).values.bool("enable"), false);
  const { values, positional } = parseArgs(flags, ["--enable", "false"]);
  assert.equal(values.bool("enable"), true);
  assert.deepEqual(positional, ["false"]);
});

Deno.test("a list replaces its default and adds up", () => {
  assert.deepEqual(parseArgs(flags, []).values.list("list"), ["x", "y"]);
  assert.deepEqual(parseArgs(flags, ["--list=a,b", "--list", "c"]).values.list("list"), ["a", "b", "c"]);
  assert.deepEqual(parseArgs(flags, ["--list="]).values.list("list"), []);
});

Deno.test("-v takes its number joined, behind an equals sign, or as the next argument", () => {
  for (const args of [["-v7"], ["-v=7"], ["-v", "7"], ["--v=7"], ["--v", "7"]]) {
    assert.equal(parseArgs(flags, args).values.number("v"), 7, args.join(" "));
  }
  const { values } = parseArgs(flags, ["-hv7"]);
  assert.equal(values.bool("help"), true);
  assert.equal(values.number("v"), 7);
});

Deno.test("arguments that are no flags may stand anywhere, and -- ends the flags", () => {
  const { values, positional } = parseArgs(flags, ["a", "--port=1", "-", "--", "--port=2", "-x"]);
  assert.equal(values.number("port"), 1);
  assert.deepEqual(positional, ["a", "-", "--port=2", "-x"]);
});

Deno.test("defaults hold where a flag is not given, and it is known which were", () => {
  const { values } = parseArgs(flags, ["--port=80"]);
  assert.equal(values.number("ttl"), 3_600_000);
  assert.equal(values.given("port"), true);
  assert.equal(values.given("ttl"), false);
});

Deno.test("mistakes are named in pflag's words", () => {
  refuses(["--nope"], "unknown-flag", "unknown flag: --nope");
  refuses(["--log_dir=x"], "unknown-flag", "unknown flag: --log_dir");
  refuses(["--no-enable"], "unknown-flag", "unknown flag: --no-enable");
  refuses(["-x"], "unknown-shorthand", "unknown shorthand flag: 'x' in -x");
  refuses(["-port=80"], "unknown-shorthand", "unknown shorthand flag: 'p' in -port=80");
  refuses(["--port"], "flag-needs-argument", "flag needs an argument: --port");
  refuses(["-v"], "flag-needs-argument", "flag needs an argument: 'v' in -v");
  refuses(["-hv"], "flag-needs-argument", "flag needs an argument: 'v' in -v");
  refuses(["---x"], "bad-flag-syntax", "bad flag syntax: ---x");
  refuses(["--=x"], "bad-flag-syntax", "bad flag syntax: --=x");
  refuses(
    ["--port=abc"],
    "invalid-argument",
    'invalid argument "abc" for "--port" flag: strconv.ParseInt: parsing "abc": invalid syntax',
  );
  refuses(
    ["-v=abc"],
    "invalid-argument",
    'invalid argument "abc" for "-v, --v" flag: strconv.ParseInt: parsing "abc": invalid syntax',
  );
  refuses(
    ["--ttl=5"],
    "invalid-argument",
    'invalid argument "5" for "--ttl" flag: time: missing unit in duration "5"',
  );
  refuses(
    ["--enable=maybe"],
    "invalid-argument",
    'invalid argument "maybe" for "--enable" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  );
  refuses(["--logtostderr=x"], "invalid-argument", 'invalid argument "x" for "--logtostderr" flag: parse error');
  refuses(
    ["--log-file-max-size=-1"],
    "invalid-argument",
    'invalid argument "-1" for "--log-file-max-size" flag: parse error',
  );
});

Deno.test("a deprecated flag works and is told of, each time, also before a mistake", () => {
  assert.deepEqual(parseArgs(flags, ["--old=a"]).notices, ["Flag --old has been deprecated, use --name"]);
  const heard: string[] = [];
  assert.throws(() => parseArgs(flags, ["--old=a", "--old=b", "--nope"], (line) => heard.push(line)), FlagError);
  assert.equal(heard.length, 2);
});

Deno.test("of a flag and its other name, whichever is parsed last wins", () => {
  assert.equal(parseArgs(flags, ["--name=a", "--other-name=b"]).values.string("name"), "b");
  assert.equal(parseArgs(flags, ["--other-name=b", "--name=a"]).values.string("name"), "a");
});

Deno.test("a program that asks for a flag it does not have, or as another type, fails loudly", () => {
  const { values } = parseArgs(flags, []);
  assert.throws(() => values.string("nope"), TypeError);
  assert.throws(() => values.string("port"), TypeError);
  assert.throws(() => values.number("name"), TypeError);
  assert.throws(() => values.bool("name"), TypeError);
  assert.throws(() => values.list("name"), TypeError);
});
