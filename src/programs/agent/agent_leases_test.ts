import { AgentLab, metric, startBalancer } from "../../../tests/support/in_process/agent_lab.ts";
import assert from "node:assert/strict";
import { type FakeCall, leaseValue, startFakeKubeApi } from "../../../tests/support/fakes/fake_kube_api.ts";
import { writeKubeconfig } from "../../../tests/support/fakes/fake_kubeconfig.ts";
import { startFakeLeases } from "../../../tests/support/fakes/fake_leases.ts";
import { startFakeServer } from "../../../tests/support/fakes/fake_proxy_server.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { AgentLeases } from "../../ops/status/lease_status.ts";
import type { RunningAgent } from "./run.ts";

/** What the agent's status says of leases. */
async function leasesOf({ admin }: RunningAgent): Promise<AgentLeases | undefined> {
  const response = await fetch(`http://127.0.0.1:${admin.port}/status`);
  return (await response.json()).leases;
}

const labels = { "k8s-app": "konnectivity-server" };

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
    const config = await writeKubeconfig(lab.dir, api);
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

leakTest(
  "an agent's status holds the leases against its links, and says since when and why it cannot follow them",
  async () => {
    await using lab = await AgentLab.open();
    await using world = await startFakeLeases();
    await using one = await startFakeServer({ serverId: "one" });
    const now = Date.now();
    world.put(leaseValue("one", { renewed: now, seconds: 3600, labels }));
    world.put(leaseValue("two", { renewed: now, seconds: 3600, labels }));
    world.put(leaseValue("over", { renewed: now - 60_000, seconds: 30, labels }));
    const config = await writeKubeconfig(lab.dir, world.api);
    const running = await lab.agent(one.port, "--count-server-leases", `--kubeconfig=${config}`);
    const seen = await until("it is linked, and follows leases", async () => {
      const leases = await leasesOf(running);
      return leases?.followed === true && leases.linked === 1 ? leases : undefined;
    });
    assert.equal(seen?.namespace, "kube-system");
    assert.equal(seen.labelSelector, "k8s-app=konnectivity-server");
    assert.deepEqual([seen.count, seen.total, seen.failure, seen.unfollowedSeconds], [2, 3, undefined, undefined]);
    const entries = seen.items.map(({ name, holder, counts, linked }) => [name, holder, counts, linked]);
    assert.deepEqual(entries, [["two", "two", true, false], ["one", "one", true, true], [
      "over",
      "over",
      false,
      false,
    ]]);
    const [two, , over] = seen.items.map(({ endsInSeconds }) => endsInSeconds ?? 0);
    assert.ok(two !== undefined && two > 3500 && two <= 3600, String(two));
    assert.ok(over !== undefined && over <= -30, String(over));

    // A link whose server gives its lease up.
    world.remove("one");
    const without = await until("the lease is gone", async () => {
      const leases = await leasesOf(running);
      return leases?.count === 1 ? leases : undefined;
    });
    assert.deepEqual([without?.linked, without?.withoutLease], [0, ["one"]]);

    // The API refuses from now on: what was known stays.
    world.intercept = (call) => {
      call.fail(403, "Forbidden", "leases is forbidden");
      return true;
    };
    world.endWatches();
    const away = await until("it cannot follow them", async () => {
      const leases = await leasesOf(running);
      return leases?.failure === undefined ? undefined : leases;
    });
    assert.match(away?.failure ?? "", /leases is forbidden/);
    assert.deepEqual([away?.followed, away?.count], [false, 1]);
    assert.ok((away?.unfollowedSeconds ?? -1) >= 0);
    world.intercept = () => false;
    await until("it follows them again", async () => (await leasesOf(running))?.followed);
  },
);

leakTest("an agent that counts no leases has none in its status", async () => {
  await using lab = await AgentLab.open();
  await using one = await startFakeServer({ serverId: "one" });
  const running = await lab.agent(one.port);
  assert.equal(await leasesOf(running), undefined);
});
