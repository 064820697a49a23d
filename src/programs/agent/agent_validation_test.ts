import assert from "node:assert/strict";
import { parseAgentFlags } from "./agent_flags.ts";
import type { AgentOptions } from "./agent_options.ts";
import { originalAgentFault, validateAgentOptions } from "./agent_validation.ts";
import type { FileProbe } from "../../flags/file_probe.ts";
import type { Validation } from "../../flags/validation.ts";

/** Every path is a file, but `none…` is missing and `locked…` cannot be read. */
const probe: FileProbe = (path) => {
  if (path.startsWith("none")) return Promise.resolve({ kind: "missing" });
  if (path.startsWith("locked")) return Promise.resolve({ kind: "unreadable", why: "permission denied" });
  return Promise.resolve({ kind: "readable" });
};

function options(...args: string[]): AgentOptions {
  const parsed = parseAgentFlags(args, () => undefined);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

function fault(...args: string[]): Promise<string | undefined> {
  return originalAgentFault(options(...args), probe);
}

function validate(...args: string[]): Promise<Validation> {
  return validateAgentOptions(options("--ca-cert=ca", ...args), probe);
}

async function refusal(...args: string[]): Promise<string> {
  const validation = await validate(...args);
  return validation.kind === "refused" ? validation.message : assert.fail("accepted");
}

const prefix = "failed to validate agent options with ";
const noFile = "stat none: no such file or directory";

Deno.test("[agent 9-22..27] the original's rules hold in its words, one by one", async () => {
  const cases: [string[], string][] = [
    [["--agent-key=none"], `error checking agent key none, got ${noFile}`],
    [["--agent-key=k"], 'cannot have agent cert empty when agent key is set to "k"'],
    [["--agent-key=k", "--agent-cert=none"], `error checking agent cert none, got ${noFile}`],
    [["--agent-cert=c"], 'cannot have agent key empty when agent cert is set to "c"'],
    [["--ca-cert=none"], `error checking agent CA cert none, got ${noFile}`],
    [["--proxy-server-port=0"], "proxy server port 0 must be greater than 0"],
    [["--proxy-server-port=-1"], "proxy server port -1 must be greater than 0"],
    [["--health-server-port=0"], "health server port 0 must be greater than 0"],
    [["--health-server-port=-1"], "health server port -1 must be greater than 0"],
    [["--admin-server-port=0"], "admin server port 0 must be greater than 0"],
    [["--admin-server-port=-1"], "admin server port -1 must be greater than 0"],
    [["--xfr-channel-size=0"], "channel size 0 must be greater than 0"],
    [["--xfr-channel-size=-10"], "channel size -10 must be greater than 0"],
    [
      ["--enable-contention-profiling=true", "--enable-profiling=false"],
      "if --enable-contention-profiling is set, --enable-profiling must also be set",
    ],
    [["--sync-interval=11s"], "sync interval 11s must be less than sync interval cap 10s"],
    [
      ["--service-account-token-path=none"],
      `error checking service account token path none, got ${noFile}`,
    ],
    [["--agent-identifiers=a;b"], "agent address is invalid: invalid semicolon separator in query"],
    [["--agent-identifiers=uid=1"], "agent address is invalid: unknown address type: uid"],
    [["--kubeconfig=none"], `error checking KubeconfigPath "none", got ${noFile}`],
    [
      ["--server-count-source=foobar"],
      "--server-count-source must be one of '', 'default', 'max', got foobar",
    ],
  ];
  for (const [args, message] of cases) assert.equal(await fault(...args), message, args.join(" "));
});

Deno.test("[agent 9-21..24] what the original accepts, its rules accept", async () => {
  assert.equal(await fault(), undefined);
  for (const port of ["1023", "1024", "49151", "49152"]) {
    for (const flag of ["proxy-server-port", "health-server-port", "admin-server-port"]) {
      assert.equal(await fault(`--${flag}=${port}`), undefined, `--${flag}=${port}`);
      assert.equal((await validate(`--${flag}=${port}`)).kind, "ok", `--${flag}=${port}`);
    }
  }
  assert.equal(await fault("--sync-interval=10s"), undefined);
  for (const source of ["", "default", "max"]) assert.equal(await fault(`--server-count-source=${source}`), undefined);
  assert.equal(await fault("--agent-identifiers=ipv4=1.2.3.4&host=a&cidr=10.0.0.0/8&default-route=true"), undefined);
});

Deno.test("where several rules are broken, the first in the original's order is told", async () => {
  const all = ["--agent-key=none", "--proxy-server-port=0", "--xfr-channel-size=0", "--agent-identifiers=uid=1"];
  assert.match(await refusal(...all), /^failed to validate agent options with error checking agent key/);
  assert.match(await refusal(...all.slice(1)), /proxy server port/);
  assert.match(await refusal(...all.slice(2)), /channel size/);
  assert.match(await refusal(...all.slice(3)), /unknown address type/);
});

Deno.test("[agent weak 27] intervals of nothing, ports over 65535 and ports used twice are refused", async () => {
  const cases: [string[], string][] = [
    [["--sync-interval=0"], "--sync-interval must be greater than 0, got 0s"],
    [["--sync-interval=-1s"], "--sync-interval must be greater than 0, got -1s"],
    [["--probe-interval=0"], "--probe-interval must be greater than 0, got 0s"],
    [["--probe-interval=-5ms"], "--probe-interval must be greater than 0, got -5ms"],
    [["--keepalive-time=-1s"], "--keepalive-time must be >= 0, got -1s"],
    [["--drain-timeout=-1s"], "--drain-timeout must be >= 0, got -1s"],
    [["--proxy-server-port=65536"], "proxy server port 65536 must be at most 65535"],
    [["--health-server-port=70000"], "health server port 70000 must be at most 65535"],
    [["--admin-server-port=70000"], "admin server port 70000 must be at most 65535"],
    [["--admin-server-port=8093"], "--health-server-port and --admin-server-port must not both be 8093"],
  ];
  for (const [args, message] of cases) assert.equal(await refusal(...args), prefix + message);
});

Deno.test("what the original fails on after its start is refused", async () => {
  const cases: [string[], string][] = [
    [["--ca-cert="], "ca cert must be set, servers are reached over TLS only"],
    [["--ca-cert=locked"], "--ca-cert: cannot read locked: permission denied"],
    [["--service-account-token-path=locked"], "--service-account-token-path: cannot read locked: permission denied"],
    [["--enable-heap-snapshots"], "if --enable-heap-snapshots is set, --enable-profiling must also be set"],
    [["--alpn-proto=a,"], '--alpn-proto: a protocol\'s name has 1 to 255 bytes, got ""'],
    [["--agent-id=a\tb"], '--agent-id must be printable ASCII, as it travels in a header, got "a\\tb"'],
  ];
  for (const [args, message] of cases) assert.equal(await refusal(...args), prefix + message);
});

Deno.test("an entry of --destinations or --deny-destinations that is none is refused by its flag", async () => {
  const good = "a,a.b:80,*.svc.cluster.local:443,10.0.0.1:80-90,10.0.0.0/8,[fd00::]/8:443,[::1]:80,my_host,*";
  for (const flag of ["destinations", "deny-destinations"]) {
    assert.equal((await validate(`--${flag}=${good}`)).kind, "ok");
    const bad: [string, RegExp][] = [
      ["10.0.0.0/33", /"10\.0\.0\.0\/33" is no range of addresses$/],
      ["10.0.0.*", /"10\.0\.0\.\*" is no name; only \*\.suffix may begin with a star$/],
      ["a:0", /"a:0" has a port that is none/],
      ["", /"" names no host/],
    ];
    for (const [entry, message] of bad) {
      const text = await refusal(`--${flag}=x,${entry}`);
      assert.ok(text.startsWith(`${prefix}--${flag}: `), text);
      assert.match(text, message);
    }
  }
});

Deno.test("an identifier that matches nothing, such as a variable that was not expanded, is warned of", async () => {
  const validation = await validate("--agent-identifiers=ipv4=${HOST_IP}&ipv6=::1&cidr=10.0.0.0/8&host=x");
  assert.deepEqual(validation, {
    kind: "ok",
    warnings: [
      '--agent-identifiers: ipv4=${HOST_IP} matches no destination: "${HOST_IP}" is no ipv4 value',
    ],
  });
});
