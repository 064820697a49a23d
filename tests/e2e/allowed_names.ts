/** Who may be a client or an agent by the names in a certificate: as users run it, with certificates made for the purpose. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import assert from "node:assert/strict";
import { PacketType, ProxyService } from "../../gen/client/client_pb.ts";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { connect } from "../../src/client/mod.ts";
import { dialRequest } from "../../src/wire/packet.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { testCertificates } from "../support/in_process/test_certificates.ts";
import { agentFlagsOf, Launched } from "../support/processes/launched.ts";
import { httpGet, startAgent } from "../support/processes/processes.ts";

type LeafOptions = Partial<Parameters<typeof issueLeaf>[1]>;

/** Writes a certificate of the tests' authority. @returns the paths of both files and their texts */
export async function leafFiles(folder: string, name: string, options: LeafOptions) {
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

/** Only certificates with an allowed name are clients. */
export async function allowsClients(kind: "grpc-tls" | "connect-tls", ...flags: readonly string[]): Promise<void> {
  const mode = kind === "grpc-tls" ? "grpc" : "http-connect";
  await using echo = await echoDestination();
  const names = "--client-allowed-names=spiffe://cluster.local/ns/kube-system/*";
  const serverFlags = [names, "--agent-allowed-names=test*", ...flags];
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
}

/** A client that speaks Connect's protocol is judged by its connection too. */
export async function judgesConnect(http2: "own" | "runtime"): Promise<void> {
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
}

/** Only certificates with an allowed name are agents, with what their names bear. */
export async function allowsAgents(link: "auto" | "grpc"): Promise<void> {
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
}
