/** What both HTTP/2 implementations under the packet services keep. Here over TLS, and with a peer that does not read. */
import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import {
  type Listen,
  open,
  serverSide,
  tlsWorld,
  world,
} from "../../../tests/support/in_process/packet_service_world.ts";
import { makeTestCertificates, testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { closeResponse } from "../../wire/packet.ts";
import { connectGrpc } from "../http2/grpc_client.ts";
import { listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const implementations = { runtime: listenGrpc, own: listenGrpcOwn } as const;

function onBoth(title: string, body: (listen: Listen) => Promise<void>): void {
  for (const [name, listen] of Object.entries(implementations)) leakTest(`${name}: ${title}`, () => body(listen));
}

onBoth("over TLS, with a certificate: ten megabytes each way", async (listen) => {
  await using at = await tlsWorld(listen);
  const { client: pair, ca } = await testCertificates();
  const tls = { cert: pair.certPem, key: pair.keyPem, ca: ca.certPem };
  const connection = await connectGrpc(
    { kind: "tls", host: "127.0.0.1", port: at.port, tls },
    AbortSignal.timeout(20_000),
    systemClock,
  );
  const client = open(connection);
  const server = await serverSide(at);
  server.onBytes = (id, payload) => server.stream.sendData(id, payload.slice());
  const chunk = Uint8Array.from({ length: 100_000 }, (_byte, i) => i);
  let sum = 0;
  for (let i = 0; i < 100; i++) {
    client.stream.sendData(1, chunk);
    for (const byte of chunk) sum = (sum * 31 + byte) | 0;
  }
  await until("all came back", () => client.bytes === 10_000_000);
  assert.equal(client.sum, sum);
  connection.close();
});

onBoth("over TLS, a client without a certificate or with a stranger's is refused", async (listen) => {
  await using at = await tlsWorld(listen);
  const { ca } = await testCertificates();
  const stranger = await makeTestCertificates("strangers");
  const signal = AbortSignal.timeout(20_000);
  for (const own of [{}, { cert: stranger.client.certPem, key: stranger.client.keyPem }]) {
    const target = { kind: "tls", host: "127.0.0.1", port: at.port, tls: { ...own, ca: ca.certPem } } as const;
    await assert.rejects(connectGrpc(target, signal, systemClock));
  }
  assert.equal(at.calls.length, 0);
});

onBoth(
  "a peer that makes this side answer and does not read loses its stream, and nobody else does",
  async (listen) => {
    await using at = await world(listen);
    const connection = await at.connect();
    const deaf = open(connection);
    const other = open(connection);
    const [deafServer, otherServer] = [await serverSide(at), await serverSide(at, 1)];
    deaf.stream.pause();
    const answer = closeResponse(1, "x".repeat(4000));
    for (let sent = 0; sent < 48 * 1024 * 1024 && deafServer.end === undefined; sent += 4000) {
      deafServer.stream.sendPacket(answer);
      if (sent % 400_000 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    await until("its stream is gone", () => deafServer.end !== undefined);
    assert.equal(deafServer.errorCode, Code.ResourceExhausted);
    otherServer.stream.sendPacket(answer);
    await until("the other one works", () => other.packets.length === 1);
    connection.close();
    await connection.closed;
  },
);
