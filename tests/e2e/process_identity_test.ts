/** Who may be a client, an agent, and what an agent may claim: as users run it, with certificates made for the purpose. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import assert from "node:assert/strict";
import { PacketType, ProxyService } from "../../gen/client/client_pb.ts";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { connect } from "../../src/client/mod.ts";
import { dialRequest } from "../../src/wire/packet.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { startFakeKubeApi } from "../support/fakes/fake_kube_api.ts";
import { agentFlagsOf, Launched, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet, startAgent, startServer } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

type LeafOptions = Partial<Parameters<typeof issueLeaf>[1]>;

/** Writes a certificate of the tests' authority. @returns the paths of both files and their texts */
async function leafFiles(folder: string, name: string, options: LeafOptions) {
  const { ca } = await testCertificates();
  const leaf = await issueLeaf(ca, { commonName: name, usages: ["client"], keyKind: "p-256", ...options });
  const files = { cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` };
  await Deno.writeTextFile(files.cert, leaf.certPem);
  await Deno.writeTextFile(files.key, leaf.keyPem);
  return { ...files, tls: { ca: ca.certPem, cert: leaf.certPem, key: leaf.keyPem } };
}

async function refused(healthPort: number, labels: string): Promise<number> {
  const { body } = await httpGet(healthPort, "/metrics");
  const name = `konnectivity_network_proxy_server_refused_peers_total{${labels}} `;
  return Number(body.split("\n").find((line) => line.startsWith(name))?.slice(name.length) ?? -1);
}

const spiffe = "spiffe://cluster.local/ns/kube-system/sa/kube-apiserver";

for (const kind of ["grpc-tls", "connect-tls"] as const) {
  const mode = kind === "grpc-tls" ? "grpc" : "http-connect";
  for (const extra of kind === "grpc-tls" ? [[], ["--workers=2"], ["--http2=runtime"]] : [[], ["--workers=2"]]) {
    leakTest(`${kind} ${extra.join(" ")}: only certificates with an allowed name are clients`, async () => {
      await using echo = await echoDestination();
      const names = "--client-allowed-names=spiffe://cluster.local/ns/kube-system/*";
      const serverFlags = [names, "--agent-allowed-names=test*", ...extra];
      await using launched = await Launched.start(kind, { serverFlags });
      const apiserver = await leafFiles(launched.folder, "apiserver", { uris: [spiffe] });
      const to = { mode, transport: "tls", host: "127.0.0.1", port: launched.port } as const;
      await using client = await connect({ ...to, tls: apiserver.tls });
      await using tunnel = await client.dial(echo.address);
      assert.equal(await new Conversation(tunnel).ask("hello"), "hello");
      // The agent's certificate is of the same authority, and is no client's.
      await assert.rejects(
        async () => {
          await using stranger = await launched.client();
          await using opened = await stranger.dial(echo.address);
          assert.fail(`opened ${opened}`);
        },
        /bears no name of --client-allowed-names|403/,
      );
      assert.equal(await refused(launched.server.healthPort, 'peer="client",reason="name"'), 1);
      const line = /refused client test client: client is refused/;
      await until("the log says who it was", () => line.test(launched.server.program.log));
      assert.equal(await new Conversation(await client.dial(echo.address)).ask("again"), "again");
    });
  }
}

for (const http2 of ["own", "runtime"]) {
  leakTest(
    `a client that speaks Connect's protocol is judged by its connection too, over ${http2} HTTP/2`,
    async () => {
      const serverFlags = ["--client-allowed-names=apiserver", `--http2=${http2}`];
      await using launched = await Launched.start("grpc-tls", { serverFlags });
      const apiserver = await leafFiles(launched.folder, "apiserver", {});
      const { caCert, clientCert, clientKey } = launched.certificates;
      const read = (path: string) => Deno.readTextFile(path);
      const stranger = { ca: await read(caCert), cert: await read(clientCert), key: await read(clientKey) };
      const answer = async (nodeOptions: typeof stranger, headers: Record<string, string> = {}) => {
        const baseUrl = `https://127.0.0.1:${launched.port}`;
        const sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
        const transport = createConnectTransport({ httpVersion: "2", baseUrl, nodeOptions, sessionManager });
        const answered = Promise.withResolvers<void>();
        const packets = (async function* () {
          yield dialRequest({ protocol: "tcp", address: "localhost:1" }, 5n);
          await answered.promise;
        })();
        try {
          for await (const packet of createClient(ProxyService, transport).proxy(packets, { headers })) {
            return packet.type;
          }
          return undefined;
        } finally {
          answered.resolve();
          sessionManager.abort();
        }
      };
      // Whatever names itself: only the bridge in the server says whose a request is.
      for (const headers of [{}, { "konnectivity-bridge-peer": "1" }]) {
        const refusal = await answer(stranger, headers).then(() => assert.fail("it was let in"), ConnectError.from);
        assert.equal(refusal.code, Code.PermissionDenied);
      }
      assert.equal(await answer(apiserver.tls), PacketType.DIAL_RSP);
    },
  );
}

leakTest("curl with another certificate of the authority sees 403", async () => {
  await using launched = await Launched.start("connect-tls", { serverFlags: ["--client-allowed-names=apiserver"] });
  const { caCert, clientCert, clientKey } = launched.certificates;
  const { stdout, stderr } = await new Deno.Command("curl", {
    args: [
      ...["-sv", "-x", `https://127.0.0.1:${launched.port}`, "--proxy-cacert", caCert],
      ...["--proxy-cert", clientCert, "--proxy-key", clientKey, "http://a.example:80/", "--proxytunnel"],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.match(text, /HTTP\/1\.1 403 Forbidden/);
});

for (const link of ["auto", "grpc"]) {
  leakTest(
    `over ${link} links, only certificates with an allowed name are agents, with what their names bear`,
    async () => {
      const serverFlags = [
        "--agent-allowed-names=test client",
        "--bind-identifiers",
        "--proxy-strategies=destHost,default",
      ];
      await using launched = await Launched.start("grpc-uds", { serverFlags, agentFlags: [`--link-protocol=${link}`] });
      const { healthPort, agentPort, program } = launched.server;
      const start = async (leaf: { cert: string; key: string }, identifiers: string) =>
        await startAgent([
          ...agentFlagsOf({ ...launched.certificates, clientCert: leaf.cert, clientKey: leaf.key }, agentPort),
          `--link-protocol=${link}`,
          `--agent-identifiers=${identifiers}`,
        ]);
      const other = await leafFiles(launched.folder, "other", {});
      const bearer = await leafFiles(launched.folder, "test client", {
        names: ["node-1.example"],
        uris: ["konnectivity:cidr/10.0.0.0/8"],
      });
      await using stranger = await start(other, "");
      await until("the stranger was told", () => /bears no name of --agent-allowed-names/.test(stranger.program.log));
      const line = /refused agent other: agent is refused: its certificate bears no name/;
      await until("the server's log says who it was", () => line.test(program.log));
      await using thief = await start(bearer, "host=node-1.example&host=db.internal");
      await until("the thief was told", () => /it claims host=db\.internal/.test(thief.program.log));
      await using honest = await start(bearer, "host=node-1.example&cidr=10.1.0.0/16");
      await honest.ready();
      assert.notEqual((await httpGet(thief.healthPort, "/readyz")).status, 200);
      assert.notEqual((await httpGet(stranger.healthPort, "/readyz")).status, 200);
      assert.ok(await refused(healthPort, 'peer="agent",reason="name"') >= 1);
      assert.ok(await refused(healthPort, 'peer="agent",reason="identifier"') >= 1);
    },
  );
}

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
