import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { startFakeKubeApi } from "../support/fakes/fake_kube_api.ts";
import { apiThat, Installation } from "../support/in_process/installation.ts";
import { konnectivity } from "../support/processes/konnectivity.ts";
import { startAgent, startServer } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

leakTest("behind its launcher a check finds a sound server and agent sound, within its permissions", async () => {
  await using here = await Installation.make();
  await using api = await startFakeKubeApi();
  api.handle = apiThat();
  const kubeconfig = await here.kubeconfig(api);
  here.server["enable-lease-controller"] = "true";
  here.server["kubeconfig"] = kubeconfig;
  here.server["server-id"] = "s0";
  const before = await konnectivity(["check", "--server-host=localhost", "server", "--", ...here.flagsOf("server")]);
  assert.equal(before.stderr, "");
  assert.match(before.stdout, /^\d+ ok, 0 warnings, 0 failed, 0 skipped\n$/m);
  assert.equal(before.code, 0, before.stdout);

  const flags = here.flagsOf("server").filter((flag) => !/^--(?:enable-lease|kubeconfig)/.test(flag));
  await using server = await startServer(flags);
  here.agent["proxy-server-host"] = "localhost";
  here.agent["count-server-leases"] = "true";
  here.agent["kubeconfig"] = kubeconfig;
  const agentFlags = here.flagsOf("agent");
  const agent = await konnectivity(["check", "-q", "agent", "--", ...agentFlags]);
  assert.deepEqual([agent.stdout, agent.stderr, agent.code], ["", "", 0]);

  // Of both as they run, the agent's links against the leases that there are.
  await using running = await startAgent(agentFlags.filter((flag) => !/^--(?:count-server|kubeconfig)/.test(flag)));
  await running.ready();
  const admin = ["--admin", `127.0.0.1:${running.adminPort}`];
  const seen = await konnectivity(["check", ...admin, "agent", "--", ...agentFlags]);
  assert.match(seen.stdout, /^ok +leases +.*: 1 servers hold one, and the agent is linked to each$/m);
  api.handle = apiThat({ leases: 3 });
  const lacking = await konnectivity(["check", ...admin, "agent", "--", ...agentFlags]);
  assert.match(
    lacking.stdout,
    /^failed +leases +.*: 3 servers hold one, and the agent has no link to s1, s2: konnectivity status/m,
  );
  assert.match(lacking.stdout, /^ +see docs\/checks\.md#leases$/m);
  assert.equal(lacking.code, 2);
  const both = await until("the server shows its agent", async () => {
    const shown = await konnectivity(["check", "--admin", `127.0.0.1:${server.adminPort}`, "-o", "json"]);
    return shown.code === 0 ? JSON.parse(shown.stdout) : undefined;
  });
  assert.deepEqual([both.version, both.failed, both.warning], [1, 0, 0]);
  assert.equal(both.checks[0].chapter, "docs/checks.md#status");
});

leakTest("adoption reads nothing but its file, behind the launcher as well", async () => {
  const file = "examples/kind/konnectivity-agent-ds.yaml";
  const { code, stdout, stderr } = await konnectivity(["check", "--adopt", file, "-o", "json"]);
  assert.equal(stderr, "");
  const { steps } = JSON.parse(stdout);
  assert.deepEqual([...new Set(steps.map(({ kind }: { kind: string }) => kind))], ["edit", "differs", "order"]);
  assert.equal(code, 0, "no more than the image");
  assert.equal((await konnectivity(["check", "--adopt", "no/such/file"])).code, 1);
});

leakTest("the manifests of the examples are sound, and what cannot be read ends a check with 1", async () => {
  const manifests = [
    ["examples/kind/konnectivity-server.yaml", "examples/kind/egress_selector_configuration.yaml"],
    [
      "examples/kubernetes/control-plane/konnectivity-server.yaml",
      "examples/kubernetes/control-plane/egress-selector-configuration.yaml",
    ],
    ["examples/kind/konnectivity-agent-ds.yaml"],
    ["examples/kubernetes/base/agent.yaml"],
  ];
  for (const [file = "", egress] of manifests) {
    const args = ["check", "-q", "-f", file, ...(egress === undefined ? [] : ["--egress-selector", egress])];
    const { code, stdout, stderr } = await konnectivity(args);
    assert.deepEqual([stdout, stderr, code], ["", "", 0], file);
  }
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["-f", "no/such/file"], /^Error: -f: cannot read no\/such\/file: /],
    [["-f", "deno.json"], /^Error: deno\.json holds neither a Kubernetes manifest nor a command line/],
    [[], /^Error: nothing is to be checked: name a command line/],
    [["client"], /^Error: unexpected argument "client": write server or agent, then --,/],
    [["--adopt=x", "-f", "y"], /^Error: --adopt is about a file of the original alone/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await konnectivity(["check", ...args]);
    assert.match(stderr, message);
    assert.equal(code, 1);
  }
});
