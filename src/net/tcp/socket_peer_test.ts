/** Every transport knows its peer; what a listener then does with it is tested beside each. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { issueLeaf } from "../../programs/certs/issue.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { servicePath, Side } from "../../../tests/support/in_process/packet_service_world.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { listenConnect } from "../http_connect/connect_listener.ts";
import { connectGrpc } from "../http2/grpc_client.ts";
import { listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import { connectLink } from "../direct/link_client.ts";
import { peerOfRequest } from "../call/request_peer.ts";
import { settledPeer } from "./socket_peer.ts";
import type { ServerTls } from "../tls/tls_server.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const implementations = { own: listenGrpcOwn, runtime: listenGrpc } as const;
const local = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
const spiffe = "spiffe://cluster.local/ns/kube-system/sa/agent";

async function material(ask: boolean) {
  const { ca, server } = await testCertificates();
  const leaf = await issueLeaf(ca, { commonName: "alice", usages: ["client"], uris: [spiffe], keyKind: "p-256" });
  const tls: ServerTls = {
    files: {
      material: { cert: server.certPem, key: server.keyPem, ...(ask ? { ca: ca.certPem } : {}) },
      expirySeconds: undefined,
      onChange: () => () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
  };
  const hash = createHash("sha256").update(new X509Certificate(leaf.certPem).raw).digest("hex");
  return { tls, client: { ca: ca.certPem, cert: leaf.certPem, key: leaf.keyPem }, hash };
}

/** A listener that remembers who called, by a packet service and by the router. */
async function peerWorld(listen: typeof listenGrpc, tls: ServerTls | undefined, path?: string) {
  const calls: PeerIdentity[] = [];
  const service = {
    path: servicePath,
    handle: (call: Parameters<Parameters<typeof listen>[0]["services"][0]["handle"]>[0]) => {
      calls.push(settledPeer(call.peer));
      const side = new Side(call.accept({}));
      side.stream.start(side);
    },
  };
  const listener = await listen({
    address: path === undefined ? local : { kind: "unix", path, deleteExisting: true },
    ...(tls === undefined ? {} : { tls, directService: service }),
    services: [service],
    router: (request, response) => {
      calls.push(settledPeer(peerOfRequest(request)));
      response.writeHead(204);
      response.end();
    },
    clock: systemClock,
    onConnectionError: () => {},
  });
  const { address } = listener;
  return { calls, listener, port: address.kind === "tcp" ? address.port : 0 };
}

async function routed(url: string, options: object): Promise<void> {
  const session = connectHttp2(url, options);
  const request = session.request({ ":path": "/other", "konnectivity-bridge-peer": "1" });
  await new Promise((resolve) => request.once("response", resolve));
  request.resume();
  await new Promise<void>((resolve) => session.close(resolve));
}

for (const [name, listen] of Object.entries(implementations)) {
  leakTest(
    `${name}: calls, direct links and routed requests carry the verified certificate and the address`,
    async () => {
      const { tls, client, hash } = await material(true);
      const { calls, listener, port } = await peerWorld(listen, tls);
      const target = { kind: "tls", host: "127.0.0.1", port, tls: client } as const;
      const signal = AbortSignal.timeout(20_000);
      const grpc = await connectGrpc(target, signal, systemClock);
      grpc.open(servicePath, {});
      await until("the call came", () => calls.length === 1);
      const direct = await connectLink(target, signal, true, systemClock);
      assert.equal(direct.direct, true);
      direct.open(servicePath, {});
      await until("the link came", () => calls.length === 2);
      await routed(`https://localhost:${port}`, client);
      assert.equal(calls.length, 3);
      for (const { address, certificate } of calls) {
        assert.match(address, /^127\.0\.0\.1:\d+$/);
        assert.equal(certificate?.commonName, "alice");
        assert.deepEqual(certificate?.uris, [spiffe]);
        assert.equal(certificate?.fingerprint, hash);
      }
      assert.equal(new Set(calls.map(({ address }) => address)).size, 3);
      grpc.close();
      direct.close();
      await listener.close();
    },
  );

  leakTest(`${name}: a listener that asks for no certificate takes none for an identity`, async () => {
    const { tls, client } = await material(false);
    const { calls, listener, port } = await peerWorld(listen, tls);
    const signal = AbortSignal.timeout(20_000);
    const direct = await connectLink({ kind: "tls", host: "127.0.0.1", port, tls: client }, signal, true, systemClock);
    direct.open(servicePath, {});
    await until("the link came", () => calls.length === 1);
    assert.equal(calls[0]?.certificate, undefined);
    direct.close();
    await listener.close();
  });

  leakTest(`${name}: who comes over a Unix socket is called so`, async () => {
    const dir = await Deno.makeTempDir();
    const path = `${dir}/s`;
    const { calls, listener } = await peerWorld(listen, undefined, path);
    const grpc = await connectGrpc({ kind: "unix", path }, AbortSignal.timeout(20_000), systemClock);
    grpc.open(servicePath, {});
    await until("the call came", () => calls.length === 1);
    await routed("http://localhost", { createConnection: () => connectSocket(path) });
    assert.deepEqual(calls.map(({ address, certificate }) => [address, certificate]), [
      ["unix", undefined],
      ["unix", undefined],
    ]);
    grpc.close();
    await listener.close();
    await Deno.remove(dir, { recursive: true });
  });
}

leakTest(
  "requests of one connection in memory are of those who sent them, whatever they write into headers",
  async () => {
    const { tls, client } = await material(true);
    const { ca } = await testCertificates();
    const other = await issueLeaf(ca, { commonName: "bob", usages: ["client"], keyKind: "p-256" });
    const { calls, listener, port } = await peerWorld(listenGrpcOwn, tls);
    const url = `https://localhost:${port}`;
    const bob = { ca: ca.certPem, cert: other.certPem, key: other.keyPem };
    for (const who of [client, bob, client, bob]) await routed(url, who);
    assert.deepEqual(calls.map(({ certificate }) => certificate?.commonName), ["alice", "bob", "alice", "bob"]);
    await listener.close();
  },
);

leakTest("HTTP CONNECT knows its peer, and knows it still when the connection is gone", async () => {
  const { tls, client } = await material(true);
  const peers: PeerIdentity[] = [];
  await using listener = await listenConnect({
    address: local,
    tls,
    fetch: (_request, { peer }) => {
      assert.equal(peer.certificate?.commonName, "alice");
      assert.match(peer.address, /^127\.0\.0\.1:/);
      peers.push(peer);
      return new Response("no", { status: 503 });
    },
    clock: systemClock,
    onConnectionError: () => {},
  });
  const port = listener.address.kind === "tcp" ? listener.address.port : 0;
  for (
    const head of ["CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
  ) {
    const socket: TLSSocket = connectTls({ host: "127.0.0.1", port, ...client });
    socket.on("error", () => {});
    socket.write(head);
    const known = peers.length;
    await until("the request came", () => peers.length === known + 1);
    socket.destroy();
    await new Promise((resolve) => socket.once("close", resolve));
  }
  await listener.close();
  for (const { address, certificate } of peers) {
    assert.match(address, /^127\.0\.0\.1:/);
    assert.equal(certificate?.commonName, "alice");
  }
});
