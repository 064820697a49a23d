import assert from "node:assert/strict";
import { parseServerFlags } from "../server_flags.ts";
import type { ServerOptions } from "../server_options.ts";
import { probesFault } from "./probe_validation.ts";

function options(...args: string[]): ServerOptions {
  const parsed = parseServerFlags(args, () => undefined);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

const some = "--probe-destination=10.96.0.1:443";
const many = Array.from({ length: 16 }, (_, at) => `--probe-destination=10.0.0.${at}:443`);

Deno.test("probes of destinations that a client could ask for are accepted, up to sixteen", () => {
  const cases: string[][] = [
    [],
    [some],
    many,
    ["--probe-destination=kubernetes.default.svc:443,[fd00::1]:10250", "--probe-destination=localhost:80"],
    ["--probe-destination=[fe80::1%eth0]:443"],
    [some, "--probe-interval=100ms"],
    [some, "--probe-interval=10s", "--probe-timeout=10s", "--probe-readiness"],
    [some, "--destinations=10.0.0.0/8:443"],
    [some, "--client-destinations=nobody=192.0.2.1"],
  ];
  for (const args of cases) assert.equal(probesFault(options(...args)), undefined, args.join(" "));
});

Deno.test("a probe that could never succeed, or would never end, is refused with what to do", () => {
  const at = (text: string) => `--probe-destination=${text}`;
  const needed = "HOST:PORT is needed";
  const cases: [string[], string][] = [
    [[at("10.0.0.1")], `--probe-destination: "10.0.0.1": missing port in address, ${needed}, such as 10.96.0.1:443`],
    [[at("a:http")], `--probe-destination: "a:http": invalid port "http", ${needed}, such as 10.96.0.1:443`],
    [[at("fd00::1:443")], `--probe-destination: "fd00::1:443": too many colons in address, ${needed}`],
    [[at("a:65536")], `--probe-destination: "a:65536": invalid port "65536", ${needed}`],
    [[at("a:0")], `--probe-destination: "a:0" has no port that can be dialled, 1 to 65535`],
    [[at(":443")], `--probe-destination: ":443" names no host, ${needed} with a name or an address`],
    [[at("127.1:443")], `--probe-destination: "127.1:443" names no host, ${needed}`],
    [[at("https://a:443")], `--probe-destination: "https://a:443": too many colons in address, ${needed}`],
    [[at("a,,b:1")], `--probe-destination: "a": missing port in address, ${needed}`],
    [[at(`${"a".repeat(1_100)}:1`)], "--probe-destination: an address of 1102 characters is longer than any can be"],
    [[some, some], `--probe-destination: "10.96.0.1:443" is there twice`],
    [[at("a:1"), at("A.:1")], `--probe-destination: "A.:1" is there twice, as "a:1"`],
    [[at("[fd00::1]:1"), at("[FD00:0::1]:1")], `"[FD00:0::1]:1" is there twice, as "[fd00::1]:1"`],
    [[...many, some], "--probe-destination names 17 destinations, 16 at most"],
    [[some, "--probe-interval=0"], "--probe-interval must be greater than 0, got 0s"],
    [[some, "--probe-interval=-1s"], "--probe-interval must be greater than 0, got -1s"],
    [[some, "--probe-interval=99ms"], "--probe-interval must be at least 100ms, got 99ms"],
    [[some, "--probe-timeout=0"], "--probe-timeout must be greater than 0, got 0s"],
    [[some, "--probe-timeout=31s"], "--probe-timeout must not be longer than --probe-interval (30s), got 31s"],
    [["--probe-readiness"], "--probe-readiness needs --probe-destination: without one the server would never be ready"],
    [
      [some, "--destinations=*.svc:443"],
      `"10.96.0.1:443" is not among this server's --destinations, so that every probe would fail`,
    ],
    [[some, "--deny-destinations=10.0.0.0/8"], `"10.96.0.1:443" is among this server's --deny-destinations`],
  ];
  for (const [args, message] of cases) {
    const fault = probesFault(options(...args)) ?? "accepted";
    assert.ok(fault.includes(message), `${args.join(" ").slice(0, 200)}: ${fault}`);
  }
});

Deno.test("a probe has ten seconds, or the interval where that is shorter and nothing else is said", () => {
  const timeout = (...args: string[]) => options(some, ...args).probeTimeoutMs;
  assert.equal(timeout(), 10_000);
  assert.equal(timeout("--probe-interval=1h"), 10_000);
  assert.equal(timeout("--probe-interval=5s"), 5_000);
  assert.equal(timeout("--probe-interval=5s", "--probe-timeout=2s"), 2_000);
});
