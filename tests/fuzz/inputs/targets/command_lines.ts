import { splitCsv } from "../../../../src/flags/csv.ts";
import { formatDuration, parseDuration, timerMs } from "../../../../src/flags/duration.ts";
import { FlagValueError } from "../../../../src/flags/flag_error.ts";
import { parseBool, parseFloat32, parseInt32, parseInteger, parseUnsigned } from "../../../../src/flags/go_values.ts";
import { checkLabelSelector } from "../../../../src/flags/label_selector.ts";
import { netEntryFault } from "../../../../src/flags/net_entry.ts";
import type { FileProbe } from "../../../../src/flags/file_probe.ts";
import { Verbosity } from "../../../../src/logging/log_verbosity.ts";
import { redact } from "../../../../src/logging/redact.ts";
import { VmoduleError } from "../../../../src/logging/vmodule.ts";
import { parseAgentFlags } from "../../../../src/programs/agent/agent_flags.ts";
import { validateAgentOptions } from "../../../../src/programs/agent/agent_validation.ts";
import { parseCertsFlags } from "../../../../src/programs/certs/certs_flags.ts";
import { parseDemoFlags } from "../../../../src/programs/demo/demo_flags.ts";
import { parseKonnectivityFlags } from "../../../../src/programs/konnectivity/konnectivity_flags.ts";
import { parseServerFlags } from "../../../../src/programs/server/server_flags.ts";
import { validateServerOptions } from "../../../../src/programs/server/server_validation.ts";
import { parseTestClientFlags } from "../../../../src/programs/test/test_client_flags.ts";
import { parseTestServerFlags } from "../../../../src/programs/test/test_server_flags.ts";
import { validateTestServerOptions } from "../../../../src/programs/test/test_validation.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds, prototypeNames, textOf } from "./texts.ts";

const noEnv = () => undefined;
const readable: FileProbe = () => Promise.resolve({ kind: "readable" });

/** Numbers of options that are none would be timers that fire at once, or bounds that bound nothing. */
function checkNumbers(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === "number") holds(!Number.isNaN(value), () => `${name} is ${value}`);
  }
}

const valid = [
  ["server", "--mode=http-connect", "--server-count=3", "--uds-name=/tmp/a", "--keepalive-time=1h", "-v4"],
  ["server", "--proxy-strategies=destHost,default", "--destinations=10.0.0.0/8:443,*.svc", "--cipher-suites="],
  [
    "server",
    "--authentication-audience=a",
    "--agent-namespace=kube-system",
    "--agent-service-account=b",
    "--kubeconfig=c",
  ],
  [
    "agent",
    "--proxy-server-host=a,b",
    "--proxy-server-port=8091",
    "--agent-identifiers=ipv4=10.0.0.1&host=x",
    "--v",
    "5",
  ],
  ["agent", "--destinations=web:80-90", "--sync-interval=1m30s", "--vmodule=agent/*=6", "--name-servers=10.0.0.1"],
  ["test-client", "--proxy-uds=/a", "--request-path=/x", "--test-requests=3"],
  ["test-server", "--server-port=8000"],
  ["certs", "--server-ip=10.0.0.1"],
  ["demo", "--keep"],
  ["konnectivity", "status", "--admin=127.0.0.1:8095", "-o", "json", "--watch=2s"],
  ["konnectivity", "check", "--egress-selector=a", "-f", "b", "--", "proxy-server"],
  ["konnectivity", "tap", "--type=dial", "--for=10s"],
];

/** Command lines of all programs: the first line names the program, each other one is an argument. */
export const commandLines: FuzzTarget = {
  name: "command-lines",
  modules: ["src/flags/", "src/programs/"],
  seeds: valid.map((words) => words.join("\n")),
  dictionary: [
    ...prototypeNames,
    "--",
    "=",
    "\n--",
    "-h",
    "--help",
    "--version",
    "1toString",
    "0x",
    "1e400",
    "NaN",
    "Infinity",
  ],
  maxBytes: 300,
  maxWork: (bytes) => 1_000_000 + 10_000 * bytes,
  largeBytes: 4096,
  async run(input) {
    const [program, ...args] = textOf(input).split("\n");
    switch (program) {
      case "server": {
        const parsed = parseServerFlags(args, noEnv);
        if (parsed.kind !== "options") return;
        checkNumbers(parsed.options);
        await validateServerOptions(parsed.options, readable);
        return;
      }
      case "agent": {
        const parsed = parseAgentFlags(args, noEnv);
        if (parsed.kind !== "options") return;
        checkNumbers(parsed.options);
        await validateAgentOptions(parsed.options, readable);
        return;
      }
      case "test-client":
        parseTestClientFlags(args);
        return;
      case "test-server": {
        const parsed = parseTestServerFlags(args);
        if (parsed.kind === "options") validateTestServerOptions(parsed.options);
        return;
      }
      case "certs":
        parseCertsFlags(args);
        return;
      case "demo":
        parseDemoFlags(args);
        return;
      default:
        parseKonnectivityFlags(args);
    }
  },
};

/** Values of flags, by each reading that there is. */
export const flagValues: FuzzTarget = {
  name: "flag-values",
  modules: ["src/flags/", "src/logging/log_verbosity.ts", "src/logging/redact.ts"],
  seeds: [
    "1h30m",
    "1.5µs",
    "-10ms",
    "0x1f",
    "1_000",
    "0b11",
    "3.14e2",
    "true",
    'a,"b,c",d',
    "a in (b,c),!d,e!=f",
    "x/*=3,y=2",
    "*.a:80",
  ],
  dictionary: [...prototypeNames, "ns", "us", "ms", "h", "notin", "Bearer abcdefgh", "inf"],
  maxBytes: 100,
  run(input) {
    const text = textOf(input);
    for (const parse of [parseInteger, parseUnsigned, parseInt32, parseFloat32, parseDuration]) {
      const value = attempt(() => parse(text), FlagValueError);
      if (value instanceof Error) continue;
      holds(
        !Number.isNaN(value) && !Object.is(value, -0),
        () => `${parse.name} of ${JSON.stringify(text)} is ${value}`,
      );
      if (parse !== parseDuration) continue;
      holds(Number.isFinite(timerMs(value)), () => `a timer of ${value}`);
      const again = parseDuration(formatDuration(value));
      const exact = Math.abs(value) < 2 ** 52 / 1e6;
      holds(!exact || Math.abs(again - value) < 1e-6, () => `${value} ms is written ${formatDuration(value)}`);
    }
    attempt(() => parseBool(text), FlagValueError);
    const list = attempt(() => splitCsv(text), FlagValueError);
    if (!(list instanceof Error)) {
      const written = list.map((each) => `"${each.replaceAll('"', '""')}"`).join(",");
      holds(JSON.stringify(splitCsv(written)) === JSON.stringify(list), () => `${written} is read again`);
    }
    attempt(() => checkLabelSelector(text), FlagValueError);
    netEntryFault(text);
    const verbosity = attempt(() => new Verbosity(0, text), VmoduleError);
    if (verbosity instanceof Verbosity) verbosity.logs(["server", "backend"], "debug");
    redact(text);
  },
};
