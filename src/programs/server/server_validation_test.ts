import assert from "node:assert/strict";
import type { FileProbe } from "../../flags/file_probe.ts";
import { parseServerFlags } from "./server_flags.ts";
import type { ServerOptions } from "./server_options.ts";
import { needsKubernetes, originalServerFault, validateServerOptions } from "./server_validation.ts";
import type { Validation } from "../../flags/validation.ts";

/** Every path is a file, but `none…` is missing and `locked…` cannot be read. */
const probe: FileProbe = (path) => {
  if (path.startsWith("none")) return Promise.resolve({ kind: "missing" });
  if (path.startsWith("locked")) return Promise.resolve({ kind: "unreadable", why: "permission denied" });
  return Promise.resolve({ kind: "readable" });
};

function options(...args: string[]): ServerOptions {
  const parsed = parseServerFlags(args, () => undefined);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

/** What the original's own rules say. */
function fault(...args: string[]): Promise<string | undefined> {
  return originalServerFault(options(...args), probe);
}

const tcp = ["--server-ca-cert=ca"];
const uds = ["--uds-name=/s", "--server-port=0"];
const trio = ["--agent-namespace=n", "--agent-service-account=s", "--authentication-audience=a"];
/** A command line that everything accepts. */
const sound = [
  ...tcp,
  "--server-cert=c",
  "--server-key=k",
  "--cluster-cert=c",
  "--cluster-key=k",
  "--cluster-ca-cert=ca",
];

function validate(...args: string[]): Promise<Validation> {
  return validateServerOptions(options(...args), probe);
}

async function refusal(...args: string[]): Promise<string> {
  const validation = await validate(...args);
  return validation.kind === "refused" ? validation.message : assert.fail("accepted");
}

const prefix = "failed to validate server options with ";

Deno.test("[server 13.7-2..11] the original's rules hold in its words, one by one", async () => {
  const cases: [string[], string][] = [
    [["--server-key=none"], "error checking server key none, got stat none: no such file or directory"],
    [["--server-key=k"], 'cannot have server cert empty when server key is set to "k"'],
    [
      ["--server-key=k", "--server-cert=none"],
      "error checking server cert none, got stat none: no such file or directory",
    ],
    [["--server-cert=c"], 'cannot have server key empty when server cert is set to "c"'],
    [["--server-ca-cert=none"], "error checking server CA cert none, got stat none: no such file or directory"],
    [["--cluster-key=none"], "error checking cluster key none, got stat none: no such file or directory"],
    [["--cluster-key=k"], 'cannot have cluster cert empty when cluster key is set to "k"'],
    [
      ["--cluster-key=k", "--cluster-cert=none"],
      "error checking cluster cert none, got stat none: no such file or directory",
    ],
    [["--cluster-cert=c"], 'cannot have cluster key empty when cluster cert is set to "c"'],
    [["--cluster-ca-cert=none"], "error checking cluster CA cert none, got stat none: no such file or directory"],
    [["--mode=GRPC"], `mode must be set to either 'grpc' or 'http-connect' not "GRPC"`],
    [["--uds-name=/s"], "server port should be set to 0 not 8090 for UDS"],
    [[...uds, "--server-key=k", "--server-cert=c"], "server key should not be set for UDS"],
    [[...uds, "--server-ca-cert=ca"], "server ca cert should not be set for UDS"],
    [
      [`--uds-name=/${"é".repeat(54)}`, "--server-port=0"],
      "uds-name has 109 bytes, and the path of a Unix socket has at most 107",
    ],
    [[], "server ca cert must be set when in TCP mode (uds-name is empty)"],
    [[...tcp, "--server-port=49152"], "please do not try to use ephemeral port 49152 for the server port"],
    [[...tcp, "--agent-port=49152"], "please do not try to use ephemeral port 49152 for the agent port"],
    [[...tcp, "--admin-port=49152"], "please do not try to use ephemeral port 49152 for the admin port"],
    [[...tcp, "--health-port=49152"], "please do not try to use ephemeral port 49152 for the health port"],
    [[...tcp, "--server-port=1023"], "please do not try to use reserved port 1023 for the server port"],
    [[...tcp, "--agent-port=1023"], "please do not try to use reserved port 1023 for the agent port"],
    [[...tcp, "--admin-port=1023"], "please do not try to use reserved port 1023 for the admin port"],
    [[...tcp, "--health-port=-1"], "please do not try to use reserved port -1 for the health port"],
    [
      [...tcp, "--enable-contention-profiling"],
      "if --enable-contention-profiling is set, --enable-profiling must also be set",
    ],
    [
      [...tcp, ...trio, "--cluster-ca-cert=ca"],
      "--cluster-ca-cert can not be used when agent authentication is enabled",
    ],
    [
      [...tcp, "--agent-service-account=s"],
      "--agent-namespace cannot be empty when agent authentication is enabled",
    ],
    [
      [...tcp, "--agent-namespace=n"],
      "--agent-service-account cannot be empty when agent authentication is enabled",
    ],
    [
      [...tcp, "--agent-namespace=n", "--agent-service-account=s"],
      "--authentication-audience cannot be empty when agent authentication is enabled",
    ],
    [
      [...tcp, "--kubeconfig=none"],
      'checking KubeconfigPath "none", got stat none: no such file or directory',
    ],
    [[...tcp, "--proxy-strategies="], "ProxyStrategies cannot be empty"],
    [[...tcp, "--proxy-strategies=invalid"], "invalid proxy strategies: unknown proxy strategy: invalid"],
    [[...tcp, "--proxy-strategies=,"], "invalid proxy strategies: proxy strategies cannot be empty"],
    [
      [...tcp, "--proxy-strategies=destHost, default"],
      "invalid proxy strategies: unknown proxy strategy:  default",
    ],
    [[...tcp, "--xfr-channel-size=0"], "channel size 0 must be greater than 0"],
    [[...tcp, "--xfr-channel-size=-10"], "channel size -10 must be greater than 0"],
    [[...tcp, "--frontend-write-channel-size=-1"], "frontend write channel size -1 must not be negative"],
    [
      [...tcp, "--tls-min-version=InvalidVersion"],
      'unsupported TLS version "InvalidVersion", supported values are: ' +
      "VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13",
    ],
    [
      [...tcp, "--cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA"],
      "cipher suite TLS_RSA_WITH_AES_128_CBC_SHA not supported, doesn't exist or considered as insecure",
    ],
    [[...tcp, "--enable-lease-controller", "--lease-label="], "empty string provided"],
    [[...tcp, "--enable-lease-controller", "--lease-label=a=b,c"], "invalid label format: c"],
    [[...tcp, "--graceful-shutdown-timeout=-1s"], "graceful-shutdown-timeout must be >= 0, got -1s"],
    [[...tcp, "--backend-dial-timeout=-1s"], "backend-dial-timeout must be >= 0, got -1s"],
  ];
  for (const [args, message] of cases) assert.equal(await fault(...args), message, args.join(" "));
});

Deno.test("[server 13.7-3..11] what the original accepts, its rules accept", async () => {
  const cases: string[][] = [
    [],
    ["--server-port=1024"],
    ["--server-port=49151"],
    ["--admin-port=1024"],
    ["--admin-port=49151"],
    ["--health-port=1024"],
    ["--health-port=49151"],
    ["--cipher-suites=TLS_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
    ["--tls-min-version=VersionTLS10"],
    ["--tls-min-version=VersionTLS12"],
    ["--tls-min-version=VersionTLS13"],
    ["--graceful-shutdown-timeout=0"],
    ["--graceful-shutdown-timeout=30s"],
    ["--backend-dial-timeout=0"],
    ["--backend-dial-timeout=30s"],
    ["--proxy-strategies=destHost,defaultRoute,default,"],
  ];
  for (const args of cases) assert.equal(await fault(...tcp, ...args), undefined, args.join(" "));
  assert.equal(await fault(...uds, ...trio), undefined);
  assert.equal(await fault("--server-cert=locked", "--server-key=locked", ...tcp), undefined, "that comes later");
});

Deno.test("where several rules are broken, the first in the original's order is told", async () => {
  const all = ["--server-key=none", "--cluster-key=none", "--mode=x", "--server-port=1", "--xfr-channel-size=0"];
  assert.match(await refusal(...all), /error checking server key/);
  assert.match(await refusal(...all.slice(1)), /error checking cluster key/);
  assert.match(await refusal(...all.slice(2)), /mode must be/);
  assert.match(await refusal(...all.slice(3)), /server ca cert must be set/);
  assert.match(await refusal(...tcp, ...all.slice(3)), /reserved port 1 for the server port/);
  assert.match(await refusal(...tcp, "--agent-port=1", "--health-port=60000"), /ephemeral port 60000/);
  assert.match(await refusal(...tcp, "--proxy-strategies=x", "--xfr-channel-size=0"), /unknown proxy strategy/);
});

Deno.test("a sound command line is accepted without a warning", async () => {
  assert.deepEqual(await validate(...sound), { kind: "ok", warnings: [] });
  const socket = [...uds, "--cluster-cert=c", "--cluster-key=k"];
  assert.deepEqual(await validate(...socket, "--cluster-ca-cert=ca"), { kind: "ok", warnings: [] });
  assert.deepEqual(await validate(...socket, ...trio), { kind: "ok", warnings: [] });
});

Deno.test("[server W22] a server whose agents would not be authenticated is refused unless that is allowed", async () => {
  const open = [...uds, "--cluster-cert=c", "--cluster-key=k"];
  assert.match(await refusal(...open), /agents would not be authenticated: set --cluster-ca-cert, or/);
  const allowed = await validate(...open, "--allow-unauthenticated-agents");
  assert.equal(allowed.kind, "ok");
  assert.match(allowed.kind === "ok" ? allowed.warnings.join() : "", /agents are not authenticated.*port 8091/);
});

Deno.test("[server W22] certificates and tokens can both be asked for, by a flag that says so", async () => {
  const both = [...sound, ...trio];
  assert.equal(
    await refusal(...both),
    prefix + "--cluster-ca-cert can not be used when agent authentication is enabled",
  );
  assert.equal((await validate(...both, "--require-agent-cert-and-token")).kind, "ok");
  assert.match(await refusal(...sound, "--require-agent-cert-and-token"), /--require-agent-cert-and-token needs/);
});

Deno.test("[server W26] labels are read only where the lease controller is on", async () => {
  assert.equal((await validate(...sound, "--lease-label=x")).kind, "ok");
  assert.match(await refusal(...sound, "--lease-label=x", "--enable-lease-controller"), /invalid label format: x/);
});

Deno.test("what the original fails on after its start, or runs unsafely with, is refused", async () => {
  const cases: [string[], string][] = [
    [["--server-cert=locked"], "--server-cert: cannot read locked: permission denied"],
    [["--cluster-ca-cert=locked"], "--cluster-ca-cert: cannot read locked: permission denied"],
    [["--kubeconfig=locked"], "--kubeconfig: cannot read locked: permission denied"],
    [["--server-cert=", "--server-key="], "server cert and key must be set when in TCP mode (uds-name is empty)"],
    [["--cluster-cert=", "--cluster-key="], "cluster cert and key must be set, agents connect over TLS only"],
    [["--agent-port=8090"], "--server-port and --agent-port must not both be 8090"],
    [["--admin-port=8092"], "--admin-port and --health-port must not both be 8092"],
    [["--keepalive-time=-1s"], "--keepalive-time must be >= 0, got -1s"],
    [["--frontend-keepalive-time=-1ms"], "--frontend-keepalive-time must be >= 0, got -1ms"],
    [["--workers=0"], "--workers must be from 1 to 64, got 0"],
    [["--workers=-1"], "--workers must be from 1 to 64, got -1"],
    [["--workers=65"], "--workers must be from 1 to 64, got 65"],
    [["--per-agent-metrics=-1"], "--per-agent-metrics must be >= 0, got -1"],
    [["--probe-interval=0"], "--probe-interval must be greater than 0, got 0s"],
    [["--server-count=0"], "--server-count must be greater than 0, got 0"],
    [
      ["--enable-lease-controller", "--lease-namespace="],
      "--lease-namespace cannot be empty when the lease controller is enabled",
    ],
    [
      ["--cipher-suites=TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"],
      "no suite of --cipher-suites is available: this runtime has no CBC suites, use " +
      "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 instead of TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    ],
    [
      ["--server-id=\u00fcber"],
      '--server-id must be printable ASCII, as it travels in a header, got "\u00fcber"',
    ],
  ];
  for (const [args, message] of cases) assert.equal(await refusal(...sound, ...args), prefix + message);
});

Deno.test("one port may serve two listeners on different addresses", async () => {
  const ports = ["--admin-port=8092", "--health-bind-address=10.0.0.1"];
  assert.equal((await validate(...sound, ...ports)).kind, "ok");
  assert.match(await refusal(...sound, ...ports, "--admin-bind-address="), /must not both be 8092/);
});

Deno.test("an old TLS version is accepted with a warning that 1.2 is the floor", async () => {
  const validation = await validate(...sound, "--tls-min-version=VersionTLS10");
  assert.match(validation.kind === "ok" ? validation.warnings.join() : "", /VersionTLS10 is taken as VersionTLS12/);
});

Deno.test("the Kubernetes API is needed for tokens and for leases", () => {
  assert.equal(needsKubernetes(options()), false);
  assert.equal(needsKubernetes(options("--agent-namespace=n")), true);
  assert.equal(needsKubernetes(options("--enable-lease-controller")), true);
});

Deno.test("names and identifiers that nothing could prove are refused, as they would refuse everybody", async () => {
  const ok = ["--client-allowed-names=a,spiffe://b/*", "--agent-allowed-names=*.c", "--bind-identifiers"];
  assert.deepEqual(await validate(...sound, ...ok, "--proxy-strategies=destHost,default"), {
    kind: "ok",
    warnings: [],
  });
  const useless = await validate(...sound, "--bind-identifiers");
  assert.match(useless.kind === "ok" ? useless.warnings.join() : "", /no strategy of --proxy-strategies looks at/);
  const anybody = ["--cluster-ca-cert=", "--allow-unauthenticated-agents"];
  const cases: [string[], RegExp][] = [
    [["--client-allowed-names=a, b"], /--client-allowed-names: " b" begins or ends with white space/],
    [["--agent-allowed-names=a,,b"], /--agent-allowed-names: "" is empty$/],
    [[...anybody, "--agent-allowed-names=a"], /--agent-allowed-names needs --cluster-ca-cert: /],
    [[...anybody, "--bind-identifiers"], /--bind-identifiers needs --cluster-ca-cert or token authentication: /],
    [
      [...uds, "--server-cert=", "--server-key=", "--server-ca-cert=", "--client-allowed-names=a"],
      /--client-allowed-names needs --server-ca-cert: on a Unix socket/,
    ],
  ];
  for (const [args, message] of cases) assert.match(await refusal(...sound, ...args), message);
});

Deno.test("destinations that are none, and names that no client could have, are refused by their flags", async () => {
  const good = [
    "--destinations=*.svc:443,10.0.0.0/8",
    "--deny-destinations=[fd00::]/8:22",
    "--client-destinations=a=*",
  ];
  assert.equal((await validate(...sound, ...good)).kind, "ok");
  const onSocket = [...uds, "--server-cert=", "--server-key=", "--server-ca-cert="];
  assert.equal((await validate(...sound, ...onSocket, "--client-destinations=*=10.0.0.0/8")).kind, "ok");
  const cases: [string[], RegExp][] = [
    [["--destinations=127.1"], /--destinations: "127\.1" is no IPv4 address$/],
    [["--deny-destinations=a:b"], /--deny-destinations: "a:b" has a port that is none/],
    [["--client-destinations=a=10.0.0.0/99"], /--client-destinations: "10\.0\.0\.0\/99" is no range of addresses$/],
    [["--client-destinations= a=b"], /--client-destinations: the name " a" begins or ends with white space/],
    [["--client-destinations==b"], /--client-destinations: the name "" is empty$/],
    [[...onSocket, "--client-destinations=a=b"], /"a" names a certificate, which clients of a Unix socket have none$/],
    [["--enable-heap-snapshots"], /if --enable-heap-snapshots is set, --enable-profiling must also be set$/],
  ];
  for (const [args, message] of cases) assert.match(await refusal(...sound, ...args), message);
});
