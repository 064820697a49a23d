import assert from "node:assert/strict";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { startFakeKubeApi } from "../../../../tests/support/fakes/fake_kube_api.ts";
import { apiThat, Installation } from "../../../../tests/support/in_process/installation.ts";
import { agentLeases, agentStatus, pageOf } from "../../../../tests/support/memory/status_samples.ts";
import type { AgentStatus } from "../../../ops/status/agent_status.ts";
import { checkKubernetes } from "./check_kubernetes.ts";
import { partOf } from "./part.ts";

/** What the check of leases says of an agent that runs, where servers s0 and s1 hold leases. */
async function leasesOf(status: AgentStatus): Promise<string[]> {
  await using here = await Installation.make();
  await using api = await startFakeKubeApi();
  api.handle = apiThat({ leases: 2 });
  here.agent["count-server-leases"] = "true";
  here.agent["kubeconfig"] = await here.kubeconfig(api);
  const parsed = partOf(
    { role: "agent", flags: here.flagsOf("agent"), label: "proxy-agent", env: {} },
    () => undefined,
    () => false,
  );
  assert.ok(parsed.kind === "part", JSON.stringify(parsed));
  const found = await checkKubernetes([parsed.part], { kind: "agent", status }, 10_000);
  return found.filter(({ check }) => check === "leases").map(({ outcome, text }) => `${outcome}: ${text}`);
}

/** An agent that is linked to these servers. */
function linkedTo(...servers: readonly string[]): AgentStatus {
  const [link] = agentStatus().links.items;
  assert.ok(link !== undefined);
  return agentStatus({ links: pageOf(...servers.map((server) => ({ ...link, server }))) });
}

leakTest("links are held against leases by the servers' ids: as many are not the same", async () => {
  assert.deepEqual(await leasesOf(linkedTo("s0", "s1")), [
    "ok: 2 servers hold one, and the agent is linked to each",
  ]);
  assert.deepEqual(await leasesOf(linkedTo("s0", "other")), [
    "failed: 2 servers hold one, and the agent has no link to s1: konnectivity status of the agent says what its routes " +
    "fail with",
    "failed: the agent is linked to other, which has none: a server without a lease gets no new links; see its " +
    "konnectivity status",
  ]);
});

leakTest("an agent that runs and looks for other leases than its command line says is told", async () => {
  const status = { ...linkedTo("s0", "s1"), leases: agentLeases(["s0", "s1"], [], { namespace: "" }) };
  assert.deepEqual(await leasesOf(status), [
    "warning: the agent that runs looks in all namespaces with k8s-app=konnectivity-server: start it with these flags, or " +
    "check those that it has",
    "ok: 2 servers hold one, and the agent is linked to each",
  ]);
});
