import assert from "node:assert/strict";
import { agentProgram } from "./agent_flags.ts";
import type { Flag } from "./flag.ts";
import type { Program } from "./program.ts";
import { serverProgram } from "./server_flags.ts";
import { testClientProgram } from "./test_client_flags.ts";
import { testServerProgram } from "./test_server_flags.ts";

// What the original's programs list in their help, a flag a line: name, type, default.

const loggingFlags = `
add-dir-header bool
alsologtostderr bool
alsologtostderrthreshold severity
help bool
legacy-stderr-threshold-behavior bool true
log-backtrace-at traceLocation :0
log-dir string
log-file string
log-file-max-size uint 1800
logtostderr bool true
one-output bool
skip-headers bool
skip-log-headers bool
stderrthreshold severity 2
vmodule moduleSpec
`;

const serverFlags = `
admin-bind-address string 127.0.0.1
admin-port int 8095
agent-bind-address string
agent-namespace string
agent-port int 8091
agent-service-account string
authentication-audience string
backend-dial-timeout duration
cipher-suites strings
cluster-ca-cert string
cluster-cert string
cluster-key string
delete-existing-uds-file bool true
enable-contention-profiling bool
enable-lease-controller bool
enable-profiling bool
frontend-keepalive-time duration 1h0m0s
graceful-shutdown-timeout duration
health-bind-address string
health-port int 8092
keepalive-time duration 1h0m0s
kube-api-content-type string application/vnd.kubernetes.protobuf
kubeconfig string
kubeconfig-burst int
kubeconfig-qps float32
lease-label string k8s-app=konnectivity-server
lease-namespace string kube-system
mode string grpc
proxy-strategies string default
server-bind-address string
server-ca-cert string
server-cert string
server-count int 1
server-id string
server-key string
server-port int 8090
tls-min-version string
uds-name string
v Level 4
xfr-channel-size int 10
`;

const agentFlags = `
admin-bind-address string 127.0.0.1
admin-server-port int 8094
agent-cert string
agent-id string
agent-identifiers string
agent-key string
alpn-proto strings
ca-cert string
count-server-leases bool
enable-contention-profiling bool
enable-profiling bool
health-server-host string
health-server-port int 8093
keepalive-time duration 1h0m0s
kube-api-content-type string application/vnd.kubernetes.protobuf
kubeconfig string
lease-label-selector string k8s-app=konnectivity-server
lease-namespace string kube-system
probe-interval duration 1s
proxy-server-host string 127.0.0.1
proxy-server-port int 8091
server-count-source string default
service-account-token-path string
sync-forever bool
sync-interval duration 1s
sync-interval-cap duration 10s
v Level 4
warn-on-channel-limit bool
xfr-channel-size int 150
`;

const testClientFlags = `
after-delay int
ca-cert string
client-cert string
client-key string
close-idle-conn bool true
enable-http2-healthchecks bool true
mode string grpc
proxy-host string localhost
proxy-port int 8090
proxy-uds string
request-host string localhost
request-path string success
request-port int 8000
request-proto string http
test-delay int
test-requests int 1
user-agent string test-client
v Level 4
`;

const testServerFlags = `
server-port uint 8000
v Level
`;

const programs: readonly [Program, string][] = [
  [serverProgram, serverFlags],
  [agentProgram, agentFlags],
  [testClientProgram, testClientFlags],
  [testServerProgram, testServerFlags],
];

for (const [program, own] of programs) {
  Deno.test(`[server 13.7-1] [agent 9-20] every flag of the original's ${program.name} has its name, type and default`, () => {
    const lines = (own + loggingFlags).split("\n").filter((line) => line !== "");
    for (const line of lines) {
      const [name = "", type = "", original = ""] = line.split(" ");
      const flag = program.flags.find((each) => each.name === name);
      assert.ok(flag !== undefined && flag.hidden !== true && flag.since === "original", `--${name} is listed`);
      assert.equal(flag.type.label, type === "bool" ? "" : type, `type of --${name}`);
      assert.deepEqual(originalDefault(flag), flag.type.parse(original || zero(type)), `default of --${name}`);
    }
    const names = new Set(lines.map((line) => line.split(" ")[0]));
    const further = program.flags.filter((flag) => flag.since === "original" && !names.has(flag.name));
    assert.deepEqual(further.filter((flag) => flag.hidden !== true).map((flag) => flag.name), []);
  });

  Deno.test(`the flags of ${program.name} have one name each, and defaults that parse`, () => {
    const names = program.flags.flatMap((
      flag,
    ) => [flag.name, ...(flag.shorthand === undefined ? [] : [flag.shorthand])]);
    assert.equal(new Set(names).size, names.length - 1, "only v is its own shorthand");
    for (const flag of program.flags) assert.doesNotThrow(() => flag.type.parse(flag.default), flag.name);
  });
}

function originalDefault(flag: Flag): unknown {
  return flag.type.parse(flag.originalDefault ?? flag.default);
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
