import assert from "node:assert/strict";
import { until } from "../support/assert/until.ts";
import type { Cluster } from "./cluster.ts";
import { HaFleet } from "./ha_fleet.ts";
import { clusterTests } from "./kube_test_case.ts";

const { test } = await clusterTests();

/** How many token reviews kube-apiserver has answered. */
async function reviews(cluster: Cluster): Promise<number> {
  let count = 0;
  for (const line of (await cluster.kubectlText("get", "--raw=/metrics")).split("\n")) {
    if (/^apiserver_request_total\{.*resource="tokenreviews"/.test(line)) count += Number(line.split(" ").at(-1));
  }
  return count;
}

test("agents that come back all at once with the same token are one review for each server", async (cluster) => {
  await using fleet = await HaFleet.open(cluster);
  await fleet.addServer("storm-1");
  const before = await reviews(cluster);
  await Promise.all(Array.from({ length: 4 }, () => fleet.addAgent()));
  await fleet.agentsHave(1);
  assert.equal(await reviews(cluster), before + 1);
  // Each new server asks once, too; the ones that are tried again by the way do not.
  await fleet.addServer("storm-2");
  await fleet.agentsHave(2);
  assert.equal(await reviews(cluster), before + 2);
});

test("where certificate and token are asked for, neither is enough: the refusals have the codes of what is missing", async (cluster) => {
  await using fleet = await HaFleet.open(cluster, {
    serverFlags: ({ caCert }) => [`--cluster-ca-cert=${caCert}`, "--require-agent-cert-and-token"],
  });
  await fleet.addServer("both");
  const { clientCert, clientKey } = fleet.certificates;
  const certificate = [`--agent-cert=${clientCert}`, `--agent-key=${clientKey}`];
  const tokenOnly = await fleet.addAgent();
  await until(
    "TLS refuses it",
    () => /cannot connect to server at .*\[unavailable\]/.test(tokenOnly.program.log),
  );
  const certificateOnly = await fleet.addAgent(...certificate, "--service-account-token-path=");
  await until(
    "the server refuses it",
    () => /cannot connect to server at .*\[unauthenticated\]/.test(certificateOnly.program.log),
  );
  const both = await fleet.addAgent(...certificate);
  await both.ready();
  for (const agent of [tokenOnly, certificateOnly]) assert.doesNotMatch(agent.program.log, /connected to server/);
});

test("--kubeconfig-qps and --kubeconfig-burst bound a server's reviews: four tokens at one a second take three seconds", async (cluster) => {
  await using fleet = await HaFleet.open(cluster, {
    serverFlags: () => ["--kubeconfig-qps=1", "--kubeconfig-burst=1"],
  });
  await fleet.addServer("slow");
  const before = await reviews(cluster);
  const startedAt = performance.now();
  await Promise.all(
    [1, 2, 3, 4].map(async (at) =>
      await fleet.addAgent(`--service-account-token-path=${await fleet.writeToken(`token-${at}`)}`)
    ),
  );
  await fleet.agentsHave(1);
  assert.equal(await reviews(cluster), before + 4);
  assert.ok(performance.now() - startedAt >= 3000);
});
