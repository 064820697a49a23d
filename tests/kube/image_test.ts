import assert from "node:assert/strict";
import { microTime } from "../../src/kube/leases/lease.ts";
import { leaseName } from "../../src/kube/leases/lease_controller.ts";
import { freePort } from "../support/processes/free_port.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import type { KubeBinaries } from "./binaries.ts";
import { Cluster } from "./cluster.ts";
import { Image, whyNoImage } from "./image.ts";
import { kubeTest, skippedTest } from "./kube_test_case.ts";
import { kindOf, kustomize } from "./manifests.ts";

const why = await whyNoImage();

function imageTest(name: string, body: () => Promise<void>): void {
  if (why === undefined) leakTest(name, body);
  else skippedTest(name, why);
}

imageTest("the images' programs work together: not root, read-only files, a shell for the launcher alone", async () => {
  await using image = await Image.assemble();
  const files = await writeTestCertificates(image.volume, await testCertificates());
  for (const path of Object.values(files)) await Deno.chmod(path, 0o644);
  const inImage = (path: string) => path.replace(image.volume, "/vol");
  const [agentPort, serverHealth, serverAdmin, agentHealth, agentAdmin, web] = await Promise.all(
    Array.from({ length: 6 }, () => freePort()),
  );
  await using started = new AsyncDisposableStack();
  started.use(image.run("/http-test-server", `--server-port=${web}`));
  started.use(image.run(
    "/proxy-server",
    "--mode=http-connect",
    "--uds-name=/vol/frontend.sock",
    "--server-port=0",
    `--cluster-ca-cert=${inImage(files.caCert)}`,
    `--cluster-cert=${inImage(files.serverCert)}`,
    `--cluster-key=${inImage(files.serverKey)}`,
    `--agent-port=${agentPort}`,
    `--health-port=${serverHealth}`,
    `--admin-port=${serverAdmin}`,
  ));
  const cache = `${image.volume}/cache`;
  await Deno.mkdir(cache);
  await Deno.chmod(cache, 0o777);
  const agent = started.use(image.run(
    "DENO_DIR=/vol/cache",
    "/proxy-agent",
    `--ca-cert=${inImage(files.caCert)}`,
    `--agent-cert=${inImage(files.clientCert)}`,
    `--agent-key=${inImage(files.clientKey)}`,
    "--proxy-server-host=127.0.0.1",
    `--proxy-server-port=${agentPort}`,
    `--health-server-port=${agentHealth}`,
    `--admin-server-port=${agentAdmin}`,
  ));
  await until("the agent is connected", async () => {
    if (agent.status !== undefined) throw new Error(agent.tail());
    return (await httpGet(agentHealth ?? 0, "/readyz")).status === 200;
  });
  const client = image.run(
    "/proxy-test-client",
    "--mode=http-connect",
    "--proxy-uds=/vol/frontend.sock",
    "--proxy-host=",
    "--proxy-port=0",
    "--request-host=127.0.0.1",
    `--request-port=${web}`,
  );
  const { code } = await client.ended;
  assert.equal(code, 0, client.tail());
  await until("its output has come", () => client.log.includes("Success"));
  assert.ok((await Array.fromAsync(Deno.readDir(cache))).length > 0, "the runtime keeps nothing in its folder");
});

const podTitle = "an agent in its image counts servers by leases with what a pod has: address, token and authority";
const inPod = async (binaries: KubeBinaries): Promise<void> => {
  await using cluster = await Cluster.start(binaries);
  const roles = await kustomize(cluster, "kubernetes/base");
  await cluster.apply(...roles.filter((each) => /Role|ServiceAccount|Namespace/.test(kindOf(each))));
  const names = ["one", "two", "three"].map((id) => leaseName(id));
  await cluster.apply(...names.map((name) => ({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: "konnectivity-leases", labels: { "k8s-app": "konnectivity-server" } },
    spec: { renewTime: microTime(Date.now()), leaseDurationSeconds: 1000 },
  })));
  await using image = await Image.assemble();
  const token = await cluster.createToken("kube-system", "konnectivity-agent", "https://kubernetes");
  await image.writePodSecrets(token, cluster.ca.certPem);
  const health = await freePort();
  await using _agent = image.run(
    "KUBERNETES_SERVICE_HOST=127.0.0.1",
    `KUBERNETES_SERVICE_PORT=${cluster.port}`,
    "/proxy-agent",
    "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    "--proxy-server-host=127.0.0.1",
    `--proxy-server-port=${await freePort()}`,
    `--health-server-port=${health}`,
    `--admin-server-port=${await freePort()}`,
    "--count-server-leases",
    "--lease-namespace=konnectivity-leases",
  );
  await until("the agent knows three servers", async () => {
    const { body } = await httpGet(health, "/metrics");
    return /^konnectivity_network_proxy_agent_known_server_count 3$/m.test(body);
  });
};
if (why === undefined) await kubeTest(podTitle, inPod);
else skippedTest(podTitle, why);

imageTest("the images' programs say which version they are, and refuse flags that are wrong", async () => {
  await using image = await Image.assemble();
  const version = image.run("/proxy-agent", "--version");
  assert.equal((await version.ended).code, 0, version.tail());
  const wrong = image.run("/proxy-agent", "--wrong");
  assert.equal((await wrong.ended).code, 1);
  await until("it says why", () => wrong.log.includes("unknown flag: --wrong"));
});

imageTest("server and agent are under /usr/bin too, where manifests for other images call them", async () => {
  await using image = await Image.assemble();
  for (const program of ["proxy-server", "proxy-agent"]) {
    const started = image.run(`/usr/bin/${program}`, "--version");
    assert.equal((await started.ended).code, 0, started.tail());
    await until("its output has come", () => started.log.includes(`${program} `));
  }
});

Deno.test("Containerfile has a target for each program, which runs it as the examples' manifests do", async () => {
  const text = await Deno.readTextFile(new URL("../../Containerfile", import.meta.url));
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  for (const program of ["proxy-server", "proxy-agent", "proxy-test-client", "http-test-server"]) {
    const [, stage = ""] = text.split(`FROM base AS ${program}\n`);
    assert.match(stage.split("FROM ")[0] ?? "", new RegExp(`ENTRYPOINT \\["/${program}"\\]`));
  }
  assert.match(text, /^USER 65532:65532$/m);
  assert.match(text, new RegExp(`proxy-server:v${version.replaceAll(".", "\\.")} `));
  assert.match(text, new RegExp(`^ARG DENO_VERSION=${Deno.version.deno.replaceAll(".", "\\.")}$`, "m"));
  // Every image is of a version that is named.
  for (const [, image = ""] of text.matchAll(/^FROM (?:--platform=\S+ )?(\S+\.\S+\/\S+)/gm)) {
    assert.match(image, /:(?!latest)/);
  }
});
