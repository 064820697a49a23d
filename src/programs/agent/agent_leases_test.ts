import { AgentLab, metric, startBalancer } from "../../../tests/support/in_process/agent_lab.ts";
import assert from "node:assert/strict";
import { type FakeCall, leaseValue, startFakeKubeApi } from "../../../tests/support/fakes/fake_kube_api.ts";
import { startFakeServer } from "../../../tests/support/fakes/fake_proxy_server.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";

/** A kubeconfig without credentials beyond the authority's certificate. */
function kubeconfig(url: string, caPem: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": btoa(caPem) } }],
    users: [{ name: "test", user: { token: "token-of-the-agent" } }],
  });
}

leakTest(
  "[agent weak 22] an agent that counts leases is linked and healthy before the Kubernetes API answers, and follows it then",
  async () => {
    await using lab = await AgentLab.open();
    await using api = await startFakeKubeApi();
    await using one = await startFakeServer({ serverId: "one" });
    await using two = await startFakeServer({ serverId: "two" });
    await using balancer = await startBalancer([one.port, two.port]);
    const waiting: FakeCall[] = [];
    api.handle = (call) => waiting.push(call);
    const config = `${lab.dir}/kubeconfig`;
    await Deno.writeTextFile(config, kubeconfig(api.url, api.certificates.ca.certPem));
    const running = await lab.agent(balancer.port, "--count-server-leases", `--kubeconfig=${config}`);
    await until("a server is joined", () => running.agent.serverConnections === 1);
    await until("the API was asked", () => waiting.length > 0);
    assert.equal(await metric(running, "known_server_count"), "1");

    const leases = ["one", "two"].map((name) => leaseValue(name, { renewed: Date.now(), seconds: 3600 }));
    api.handle = (call) => {
      if (call.query.get("watch") === "true") call.stream();
      else call.answer(200, { kind: "LeaseList", metadata: { resourceVersion: "5" }, items: leases });
    };
    for (const call of waiting) api.handle(call);
    await until("both are joined", () => running.agent.serverConnections === 2);
    assert.equal(await metric(running, "known_server_count"), "2");
    assert.equal(waiting[0]?.query.get("labelSelector"), "k8s-app=konnectivity-server");
  },
);

leakTest("an agent that counts leases and cannot know where the Kubernetes API is does not start", async () => {
  await using lab = await AgentLab.open();
  await assert.rejects(
    lab.agent(1, "--count-server-leases", `--kubeconfig=${lab.dir}/nothing`),
    (error: Error) => error.message.includes(`${lab.dir}/nothing`),
  );
});
