import assert from "node:assert/strict";
import { parseAgentFlags } from "./agent_flags.ts";
import type { AgentOptions } from "./agent_options.ts";

function options(args: string[], env: (name: string) => string | undefined = () => undefined): AgentOptions {
  const parsed = parseAgentFlags(args, env);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

function refusal(...args: string[]): string {
  const parsed = parseAgentFlags(args, () => undefined);
  return parsed.kind === "error" ? parsed.message : assert.fail(parsed.kind);
}

Deno.test("[agent 9-20] proxy-agent's defaults are the original's, but for the keepalive", () => {
  const { agentId, logging, keepaliveTimeMs, ...rest } = options([]);
  assert.deepEqual(rest, {
    agentCert: "",
    agentKey: "",
    caCert: "",
    proxyServerHosts: ["127.0.0.1"],
    proxyServerPort: 8091,
    alpnProto: [],
    healthServerHost: "",
    healthServerPort: 8093,
    adminBindAddress: "127.0.0.1",
    adminServerPort: 8094,
    enableProfiling: false,
    enableHeapSnapshots: false,
    enableContentionProfiling: false,
    agentIdentifiers: "",
    syncIntervalMs: 1_000,
    syncIntervalCapMs: 10_000,
    probeIntervalMs: 1_000,
    serviceAccountTokenPath: "",
    warnOnChannelLimit: false,
    syncForever: false,
    xfrChannelSize: 150,
    countServerLeases: false,
    leaseNamespace: "kube-system",
    leaseLabelSelector: "k8s-app=konnectivity-server",
    serverCountSource: "default",
    kubeconfig: "",
    kubeApiContentType: "application/vnd.kubernetes.protobuf",
    linkProtocol: "auto",
    maxLinkAgeMs: 0,
    drainTimeoutMs: 0,
    destinations: [],
    denyDestinations: [],
  });
  assert.match(agentId, /^[0-9a-f-]{36}$/);
  assert.equal(logging.verbosity, 4);
  assert.equal(keepaliveTimeMs, 10_000);
});

Deno.test("the agent's id is the flag's, also when empty, else the environment's, else random", () => {
  const env = (name: string) => name === "PROXY_AGENT_ID" ? "from-env" : undefined;
  assert.equal(options(["--agent-id=given"], env).agentId, "given");
  assert.equal(options(["--agent-id="], env).agentId, "");
  assert.equal(options([], env).agentId, "from-env");
  assert.notEqual(options([], () => "").agentId, "");
});

Deno.test("--proxy-server-host takes several hosts, and addresses with or without brackets", () => {
  const hosts = (text: string) => options([`--proxy-server-host=${text}`]).proxyServerHosts;
  assert.deepEqual(hosts("a.example.com, 10.0.0.1,[::1],"), ["a.example.com", "10.0.0.1", "::1"]);
  assert.deepEqual(hosts("::1"), ["::1"]);
  assert.deepEqual(hosts(""), ["localhost"]);
});

Deno.test("lists add up", () => {
  assert.deepEqual(options(["--alpn-proto=a,b", "--alpn-proto", "c"]).alpnProto, ["a", "b", "c"]);
  assert.deepEqual(options(["--destinations=10.0.0.0/8", "--destinations=*.svc:80"]).destinations, [
    "10.0.0.0/8",
    "*.svc:80",
  ]);
});

for (const flag of ["lease-label", "lease-label-selector"]) {
  Deno.test(`[agent 9-28..29] --${flag} takes label selectors, refuses what is none`, () => {
    for (const text of ["k8s-app=konnectivity-server", "", "a=b,c=d"]) {
      assert.equal(options([`--${flag}=${text}`]).leaseLabelSelector, text);
    }
    assert.match(
      refusal(`--${flag}=*notavalidlabel*`),
      new RegExp(
        `^invalid argument "\\*notavalidlabel\\*" for "--${flag}" flag: `,
      ),
    );
  });
}

Deno.test("--lease-label is told to be deprecated, and whichever of the two is last counts", () => {
  const parsed = parseAgentFlags(["--lease-label=a=b"], () => undefined);
  assert.equal(parsed.kind, "options");
  if (parsed.kind !== "options") return;
  assert.deepEqual(parsed.notices, ["Flag --lease-label has been deprecated, Use --lease-label-selector instead"]);
  assert.equal(parsed.options.leaseLabelSelector, "a=b");
  assert.equal(options(["--lease-label=a=b", "--lease-label-selector=c=d"]).leaseLabelSelector, "c=d");
  assert.equal(options(["--lease-label-selector=c=d", "--lease-label=a=b"]).leaseLabelSelector, "a=b");
});

Deno.test("[agent weak 28] a channel size that is given stays", () => {
  assert.equal(options(["--xfr-channel-size=7"]).xfrChannelSize, 7);
});

Deno.test("underscores in the names of klog's flags are refused, as by the original", () => {
  assert.equal(refusal("--log_dir=/tmp"), "unknown flag: --log_dir");
});
