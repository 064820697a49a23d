/** Who may be a client, an agent, and what an agent may claim: as users run it, with certificates made for the purpose. */
import assert from "node:assert/strict";
import { startFakeKubeApi } from "../support/fakes/fake_kube_api.ts";
import { agentFlagsOf, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet, startAgent, startServer } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { allowsAgents, allowsClients, judgesConnect, leafFiles } from "./allowed_names.ts";

for (
  const [kind, ...flags] of [
    ["grpc-tls"],
    ["connect-tls"],
  ] as const
) {
  leakTest(`${kind} ${flags.join(" ")}: only certificates with an allowed name are clients`, async () => {
    await allowsClients(kind, ...flags);
  });
}

leakTest("a client that speaks Connect's protocol is judged by its connection too, over own HTTP/2", async () => {
  await judgesConnect("own");
});

leakTest("over auto links, only certificates with an allowed name are agents, with what their names bear", async () => {
  await allowsAgents("auto");
});

leakTest("with tokens, an agent may claim the pod and the node that the API says its token is bound to", async () => {
  await using api = await startFakeKubeApi();
  const folder = await Deno.makeTempDir();
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const extra = {
      "authentication.kubernetes.io/pod-name": ["agent-x2"],
      "authentication.kubernetes.io/node-name": ["node-1"],
    };
    const user = { username: "system:serviceaccount:kube-system:konnectivity-agent", extra };
    api.handle = (call) => call.answer(201, { status: { authenticated: true, user, audiences: ["konnectivity"] } });
    await Deno.writeTextFile(
      `${folder}/kubeconfig`,
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{
          name: "c",
          cluster: { server: api.url, "certificate-authority-data": btoa(api.certificates.ca.certPem) },
        }],
        users: [{ name: "u", user: { token: "server" } }],
      }),
    );
    await Deno.writeTextFile(`${folder}/token`, "agent");
    await using server = await startServer([
      ...serverFlagsOf("grpc-uds", { certificates, uds: `${folder}/s`, port: 0 }).filter((flag) =>
        !flag.startsWith("--cluster-ca-cert")
      ),
      ...["--agent-namespace=kube-system", "--agent-service-account=konnectivity-agent"],
      ...["--authentication-audience=konnectivity", `--kubeconfig=${folder}/kubeconfig`],
      ...["--bind-identifiers", "--proxy-strategies=destHost"],
    ]);
    const start = (identifiers: string) =>
      startAgent([
        ...agentFlagsOf(certificates, server.agentPort).filter((flag) => !/^--agent-(cert|key)/.test(flag)),
        `--service-account-token-path=${folder}/token`,
        `--agent-identifiers=${identifiers}`,
      ]);
    await using thief = await start("host=node-2");
    await until("the thief was told", () => /it claims host=node-2/.test(thief.program.log));
    await using honest = await start("host=node-1&host=agent-x2");
    await honest.ready();
    await server.ready();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("a second server with the id of another gets a link of its own and takes none of the other's", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const rogue = await leafFiles(folder, "rogue", { usages: ["server"], addresses: ["127.0.0.2"] });
    const start = (flags: readonly string[], uds: string) =>
      startServer([...serverFlagsOf("grpc-uds", { certificates, uds, port: 0 }), "--server-id=same", ...flags]);
    await using real = await start([], `${folder}/real`);
    const port = `--agent-port=${real.agentPort}`;
    const address = "--agent-bind-address=127.0.0.2";
    await using other = await start(
      [port, address, `--cluster-cert=${rogue.cert}`, `--cluster-key=${rogue.key}`],
      `${folder}/other`,
    );
    await using agent = await startAgent([
      ...agentFlagsOf(certificates, real.agentPort).filter((flag) => !flag.startsWith("--proxy-server-host")),
      "--proxy-server-host=127.0.0.1,127.0.0.2",
    ]);
    await Promise.all([real.ready(), other.ready()]);
    const line = /server at 127\.0\.0\.[12]:\d+ has the id same of the one at 127\.0\.0\.[12]:\d+, and its certificate/;
    await until("the log says so", () => line.test(agent.program.log));
    for (const server of [real, other]) {
      const { body } = await httpGet(server.healthPort, "/metrics");
      assert.match(body, /^konnectivity_network_proxy_server_draining_backends 0$/m);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
