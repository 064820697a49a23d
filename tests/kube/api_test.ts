import { Code, ConnectError } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { KubeClient } from "../../src/kube/client/kube_client.ts";
import { statusOf } from "../../src/kube/client/kube_error.ts";
import { isLeaseValid, microTime } from "../../src/kube/leases/lease.ts";
import { LeaseCollector } from "../../src/kube/leases/lease_collector.ts";
import { LeaseController, leaseTimes } from "../../src/kube/leases/lease_controller.ts";
import { LeaseCounter } from "../../src/kube/leases/lease_counter.ts";
import { LeasesApi } from "../../src/kube/leases/leases_api.ts";
import { loadApiAccess } from "../../src/kube/access/load_access.ts";
import { createTokenAuthenticator } from "../../src/kube/tokens/token_authenticator.ts";
import { until } from "../support/assert/until.ts";
import { agentAudience, type Cluster } from "./cluster.ts";
import { clusterTests } from "./kube_test_case.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

const { test } = await clusterTests();
const forever = new AbortController().signal;
const namespace = "kube-system";
const labels = { "k8s-app": "konnectivity-server" };
const scope = { namespace, labelSelector: "k8s-app=konnectivity-server" };

async function clientFor(kubeconfig: string): Promise<KubeClient> {
  return new KubeClient(await loadApiAccess(kubeconfig, () => undefined, systemClock), {
    userAgent: "test",
    qps: 1000,
    burst: 1000,
    clock: systemClock,
  });
}

class Counted {
  readonly seen: string[] = [];

  leasesListed(status: number | undefined): void {
    this.seen.push(`list ${status}`);
  }

  leasesWatched(status: number | undefined): void {
    this.seen.push(`watch ${status}`);
  }

  leaseDeleted(status: number | undefined): void {
    this.seen.push(`delete ${status}`);
  }

  leaseCulled(): void {
    this.seen.push("culled");
  }
}

function lease(name: string, renewedMs: number, seconds: number): unknown {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace, labels },
    spec: { holderIdentity: name, renewTime: microTime(renewedMs), leaseDurationSeconds: seconds },
  };
}

async function cleanLeases(cluster: Cluster): Promise<void> {
  await cluster.kubectlText("delete", `--raw=/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`);
}

test("a real kube-apiserver keeps, lists, watches, refuses and deletes leases as expected of it", async (cluster) => {
  using client = await clientFor(cluster.adminKubeconfig);
  const api = new LeasesApi(client);
  const content = { labels, holderIdentity: "me", renewTimeMs: Date.now(), durationSeconds: 30 };
  const created = await api.create(namespace, "one", content, forever);
  assert.equal(created.renewTimeMs, content.renewTimeMs);
  assert.ok(isLeaseValid(created, Date.now()));
  await assert.rejects(api.create(namespace, "one", content, forever), (error) => statusOf(error) === 409);
  const stop = new AbortController();
  const { leases, resourceVersion, apiTimeMs } = await api.list(scope, forever);
  assert.deepEqual(leases, [created]);
  assert.ok(Math.abs((apiTimeMs ?? 0) - Date.now()) < 60_000);
  const events: string[] = [];
  const watching = (async () => {
    for await (const event of await api.watch(scope, resourceVersion, stop.signal)) {
      events.push(event.kind === "bookmark" ? "bookmark" : `${event.kind} ${event.lease.name}`);
    }
  })();
  const updated = await api.update(created, { ...content, holderIdentity: "you" }, forever);
  assert.equal(updated.holderIdentity, "you");
  await assert.rejects(api.update(created, content, forever), (error) => statusOf(error) === 409);
  await assert.rejects(api.delete(created, true, forever), (error) => statusOf(error) === 409);
  await api.delete(created, false, forever);
  await assert.rejects(api.get(namespace, "one", forever), (error) => statusOf(error) === 404);
  const again = await api.create(namespace, "one", content, forever);
  await assert.rejects(api.delete(created, false, forever), (error) => statusOf(error) === 409);
  await api.delete(again, true, forever);
  await until("all is told", () => events.length === 4);
  assert.deepEqual(events, ["changed one", "deleted one", "changed one", "deleted one"]);
  stop.abort(new Error("enough"));
  await assert.rejects(watching, /enough/);
});

test("lists of more than a page are read to the end", async (cluster) => {
  using client = await clientFor(cluster.adminKubeconfig);
  const api = new LeasesApi(client);
  const content = { labels, holderIdentity: "me", renewTimeMs: Date.now(), durationSeconds: 1 };
  const names = Array.from({ length: 620 }, (_, at) => `many-${at}`);
  await Promise.all(names.map((name) => api.create(namespace, name, content, forever)));
  const { leases } = await api.list(scope, forever);
  assert.equal(leases.length, 620);
  assert.equal((await api.list({ namespace: "", labelSelector: "" }, forever)).leases.length >= 620, true);
  await cleanLeases(cluster);
});

test("client certificates, tokens and a user without rights are told apart", async (cluster) => {
  const list = async (path: string) => {
    using client = await clientFor(path);
    return await new LeasesApi(client).list(scope, forever);
  };
  const user = await cluster.writeKubeconfig("user", await cluster.userCertificate("some-user"));
  await assert.rejects(
    list(user),
    (error) =>
      statusOf(error) === 403 && error instanceof Error && /User "some-user" cannot list resource/.test(error.message),
  );
  const stranger = await cluster.writeKubeconfig("stranger", { token: "wrong" });
  await assert.rejects(list(stranger), (error) => statusOf(error) === 401);
  await cluster.kubectlText("create", "clusterrolebinding", "some-user", "--clusterrole=view", "--user=some-user");
  await cluster.kubectlText(
    "create",
    "clusterrole",
    "leases",
    "--verb=list",
    "--resource=leases.coordination.k8s.io",
  );
  await cluster.kubectlText("create", "clusterrolebinding", "l", "--clusterrole=leases", "--user=some-user");
  await until("the role counts", async () => await list(user).then(() => true, () => false));
});

test("tokens that a real kube-apiserver issued are let in or refused for what they are", async (cluster) => {
  await cluster.apply(
    ...[[namespace, "konnectivity-agent"], [namespace, "other"], ["default", "konnectivity-agent"]].map((
      [namespace, name],
    ) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } })),
  );
  using client = await clientFor(cluster.adminKubeconfig);
  const authenticate = createTokenAuthenticator({
    client,
    namespace,
    serviceAccount: "konnectivity-agent",
    audience: agentAudience,
    clock: systemClock,
  });
  const codeOf = async (token: string): Promise<string> => {
    try {
      await authenticate([`Bearer ${token}`], forever);
      return "let in";
    } catch (error) {
      const refusal = ConnectError.from(error);
      assert.doesNotMatch(refusal.message, /eyJ/);
      return Code[refusal.code];
    }
  };
  const good = await cluster.createToken(namespace, "konnectivity-agent", agentAudience);
  assert.equal(await codeOf(good), "let in");
  assert.equal(await codeOf(`${good}x`), "Unauthenticated");
  assert.equal(await codeOf("no-token"), "Unauthenticated");
  assert.equal(await codeOf(await cluster.createToken(namespace, "other", agentAudience)), "PermissionDenied");
  assert.equal(
    await codeOf(await cluster.createToken("default", "konnectivity-agent", agentAudience)),
    "PermissionDenied",
  );
  const wrongAudience = await cluster.createToken(namespace, "konnectivity-agent", "https://kubernetes");
  assert.equal(await codeOf(wrongAudience), "Unauthenticated");
});

test("a server's lease appears, is renewed and goes; expired ones of others are collected", async (cluster) => {
  using client = await clientFor(cluster.adminKubeconfig);
  const api = new LeasesApi(client);
  const times = { ...leaseTimes, renewMs: 100 };
  const controller = new LeaseController({ api, namespace, serverId: "s1", labels, times, clock: systemClock });
  await cluster.apply(lease("dead", Date.now() - 60_000, 1), lease("alive", Date.now(), 1000));
  const events = new Counted();
  const ownName = "konnectivity-proxy-server-s1";
  const collector = new LeaseCollector({ api, namespace, labels, ownName, events, periodMs: 100, clock: systemClock });
  controller.start();
  collector.start();
  await until("the dead lease is gone", () => events.seen.includes("culled"));
  const first = await until("the lease is there", () => api.get(namespace, ownName, forever).catch(() => undefined));
  await until(
    "it is renewed",
    async () => ((await api.get(namespace, ownName, forever)).renewTimeMs ?? 0) > (first?.renewTimeMs ?? 0),
  );
  await cluster.kubectlText("annotate", "lease", ownName, `-n=${namespace}`, "by=somebody");
  await cluster.kubectlText("delete", "lease", ownName, `-n=${namespace}`);
  await until("it is there again", () => api.get(namespace, ownName, forever).then(() => true, () => false));
  await collector.stop();
  await controller.stop();
  const { leases } = await api.list(scope, forever);
  assert.deepEqual(leases.map(({ name }) => name), ["alive"]);
  await cleanLeases(cluster);
});

test("servers are counted as leases come, are renewed, expire and go, also across a restart of the API", async (cluster) => {
  await cleanLeases(cluster);
  using client = await clientFor(cluster.adminKubeconfig);
  const events = new Counted();
  const counter = new LeaseCounter({ api: new LeasesApi(client), scope, events, clock: systemClock });
  const counts: number[] = [];
  counter.onChange(() => counts.push(counter.count()));
  counter.start();
  await until("it watches", () => events.seen.includes("watch 200"));
  await cluster.apply(lease("a", Date.now(), 1000));
  await until("one is known", () => counter.count() === 1);
  await cluster.apply(lease("b", Date.now(), 2));
  await until("two are known", () => counter.count() === 2);
  await until("b is over", () => counter.count() === 1);
  await cluster.stopApi();
  await until("it has failed", () => events.seen.at(-1) === "watch undefined");
  assert.equal(counter.count(), 1);
  await cluster.startApi();
  await cluster.apply(lease("c", Date.now(), 1000));
  await until("c is known", () => counter.count() === 2, 60_000);
  await cluster.kubectlText("delete", "lease", "a", `-n=${namespace}`);
  await until("a is gone", () => counter.count() === 1);
  assert.deepEqual(counts, [1, 2, 1, 2, 1]);
  await counter.stop();
  await cleanLeases(cluster);
});
