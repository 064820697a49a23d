import assert from "node:assert/strict";
import type { ParsedFlags } from "../../flags/program.ts";
import { parseServerFlags } from "./server_flags.ts";
import type { ServerOptions } from "./server_options.ts";

const noEnv = () => undefined;

function options(...args: string[]): ServerOptions {
  return optionsOf(parseServerFlags(args, noEnv));
}

function optionsOf(parsed: ParsedFlags<ServerOptions>): ServerOptions {
  assert.equal(parsed.kind, "options");
  return parsed.kind === "options" ? parsed.options : assert.fail();
}

Deno.test("[server 13.7-1] proxy-server's defaults are the original's, but for two that are safer", () => {
  const { serverId, logging, keepaliveTimeMs, backendDialTimeoutMs, ...rest } = options();
  assert.deepEqual(rest, {
    serverCert: "",
    serverKey: "",
    serverCaCert: "",
    clusterCert: "",
    clusterKey: "",
    clusterCaCert: "",
    mode: "grpc",
    udsName: "",
    deleteExistingUdsFile: true,
    serverPort: 8090,
    serverBindAddress: "",
    destinations: [],
    denyDestinations: [],
    clientDestinations: [],
    agentPort: 8091,
    agentBindAddress: "",
    adminPort: 8095,
    adminBindAddress: "127.0.0.1",
    healthPort: 8092,
    healthBindAddress: "",
    frontendKeepaliveTimeMs: 3_600_000,
    enableProfiling: false,
    enableHeapSnapshots: false,
    enableContentionProfiling: false,
    serverCount: 1,
    agentNamespace: "",
    agentServiceAccount: "",
    authenticationAudience: "",
    requireAgentCertAndToken: false,
    allowUnauthenticatedAgents: false,
    clientAllowedNames: [],
    agentAllowedNames: [],
    bindIdentifiers: false,
    auditLog: "",
    probeDestinations: [],
    probeIntervalMs: 30_000,
    probeTimeoutMs: 10_000,
    probeReadiness: false,
    kubeconfig: "",
    kubeconfigQps: 0,
    kubeconfigBurst: 0,
    kubeApiContentType: "application/vnd.kubernetes.protobuf",
    proxyStrategies: "default",
    cipherSuites: [],
    tlsMinVersion: "",
    xfrChannelSize: 10,
    frontendWriteChannelSize: 10,
    enableLeaseController: false,
    leaseNamespace: "kube-system",
    leaseLabel: "k8s-app=konnectivity-server",
    gracefulShutdownTimeoutMs: 0,
    warnOnChannelLimit: true,
    perAgentMetrics: 1000,
    workers: 1,
    linkProtocol: "auto",
    closeRevoked: false,
    maxLinkAgeMs: 0,
    http2: "own",
  });
  assert.match(serverId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(logging.verbosity, 4);
  assert.equal(keepaliveTimeMs, 10_000);
  assert.equal(backendDialTimeoutMs, 30_000);
});

Deno.test("the server's id is the flag's, else the environment's, else random", () => {
  const env = (name: string) => name === "PROXY_SERVER_ID" ? "from-env" : undefined;
  assert.equal(optionsOf(parseServerFlags(["--server-id=given"], env)).serverId, "given");
  assert.equal(optionsOf(parseServerFlags([], env)).serverId, "from-env");
  assert.notEqual(optionsOf(parseServerFlags([], () => "")).serverId, "");
  assert.notEqual(options().serverId, options().serverId);
});

Deno.test("the flags of the original's manifest for kind are taken", () => {
  const read = options(
    "--logtostderr=true",
    "--log-file-max-size=0",
    "--uds-name=/etc/kubernetes/konnectivity-server/konnectivity-server.socket",
    "--delete-existing-uds-file",
    "--cluster-cert=/etc/kubernetes/pki/apiserver.crt",
    "--cluster-key=/etc/kubernetes/pki/apiserver.key",
    "--server-port=0",
    "--agent-port=8091",
    "--health-port=8092",
    "--admin-port=8093",
    "--keepalive-time=1h",
    "--mode=grpc",
    "--agent-namespace=kube-system",
    "--agent-service-account=konnectivity-agent",
    "--kubeconfig=/etc/kubernetes/admin.conf",
    "--authentication-audience=system:konnectivity-server",
    "--enable-lease-controller",
  );
  assert.equal(read.keepaliveTimeMs, 3_600_000);
  assert.equal(read.enableLeaseController, true);
  assert.equal(read.logging.logFileMaxSizeMib, 0);
  assert.equal(read.adminPort, 8093);
});

Deno.test("a deprecated flag is told of and changes nothing", () => {
  const parsed = parseServerFlags(["--warn-on-channel-limit=false"], noEnv);
  assert.equal(parsed.kind, "options");
  if (parsed.kind !== "options") return;
  assert.match(parsed.notices.join("\n"), /^Flag --warn-on-channel-limit has been deprecated, /);
});

Deno.test("help and version are asked for by flag, a mistake before them is still a mistake", () => {
  assert.equal(parseServerFlags(["--help"], noEnv).kind, "help");
  assert.equal(parseServerFlags(["-h", "--mode=x"], noEnv).kind, "help");
  assert.equal(parseServerFlags(["--version"], noEnv).kind, "version");
  assert.equal(parseServerFlags(["--help=false"], noEnv).kind, "options");
  const parsed = parseServerFlags(["--nope", "--help"], noEnv);
  assert.equal(parsed.kind, "error");
  if (parsed.kind !== "error") return;
  assert.equal(parsed.message, "unknown flag: --nope");
  assert.match(parsed.usage, /^Usage:\n {2}proxy-server \[flags\]\n/);
});

Deno.test("--http2 is own or runtime", () => {
  assert.equal(options("--http2=runtime").http2, "runtime");
  const parsed = parseServerFlags(["--http2=nghttp2"], noEnv);
  assert.equal(
    parsed.kind === "error" ? parsed.message : parsed.kind,
    'invalid argument "nghttp2" for "--http2" flag: must be one of: own, runtime',
  );
});

Deno.test("--link-protocol is auto or grpc", () => {
  assert.equal(options("--link-protocol=grpc").linkProtocol, "grpc");
  const parsed = parseServerFlags(["--link-protocol=quic"], noEnv);
  assert.equal(
    parsed.kind === "error" && parsed.message,
    'invalid argument "quic" for "--link-protocol" flag: must be one of: auto, grpc',
  );
});

Deno.test("--client-destinations gives each destination the name before it, and adds up", () => {
  const given = options(
    "--client-destinations=kube-apiserver=*,monitoring=10.0.0.0/8:9100,*.svc:9090",
    "--client-destinations",
    "spiffe://prod/ns?a=b=[fd00::]/8:443",
  );
  assert.deepEqual(given.clientDestinations, [
    "kube-apiserver=*",
    "monitoring=10.0.0.0/8:9100",
    "monitoring=*.svc:9090",
    "spiffe://prod/ns?a=b=[fd00::]/8:443",
  ]);
  const parsed = parseServerFlags(["--client-destinations=10.0.0.0/8"], () => undefined);
  assert.match(
    parsed.kind === "error" ? parsed.message : "",
    /"10\.0\.0\.0\/8" names no client, NAME=DESTINATION is needed/,
  );
});
