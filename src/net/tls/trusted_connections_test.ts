import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type TLSSocket } from "node:tls";
import { issueLeaf } from "../../programs/certs/issue.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { makeTestCertificates, type TestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { type ConnectFetch, listenConnect } from "../http_connect/connect_listener.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import type { ListenAddress } from "../tcp/listen.ts";
import type { ServerTls } from "./tls_server.ts";
import { watchTls } from "./tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";

const address: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const directService = { path: "/AgentService/Connect", handle: () => {} };
const grpc = { address, clock: systemClock, services: [], router: () => {}, directService };
const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

type Open = (tls: ServerTls, failed: (error: Error) => void) => Promise<{ address: ListenAddress } & AsyncDisposable>;

/** Lets every request have a tunnel, in which nothing comes. */
const openTunnel: ConnectFetch = (_request, bindings) => {
  bindings.tunnel = (client) => {
    client.start({ onData: () => {}, onDrain: () => {}, onEnd: () => client.end(), onClose: () => {} });
  };
  return new Response();
};

const listeners: Readonly<Record<string, Open>> = {
  "HTTP CONNECT": (tls, onConnectionError) =>
    listenConnect({ address, clock: systemClock, tls, onConnectionError, fetch: openTunnel }),
  "the runtime's HTTP/2": (tls, onConnectionError) => listenGrpc({ ...grpc, tls, onConnectionError }),
  "our HTTP/2": (tls, onConnectionError) => listenGrpcOwn({ ...grpc, tls, onConnectionError }),
};

/** A client's connection that is served, and whether it has ended. */
async function connected(
  { address }: { address: ListenAddress },
  pair: { certPem: string; keyPem: string },
): Promise<{ readonly socket: TLSSocket; readonly open: boolean }> {
  assert.ok(address.kind === "tcp");
  const socket = connect({
    host: "127.0.0.1",
    port: address.port,
    cert: pair.certPem,
    key: pair.keyPem,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  let open = true;
  socket.on("error", () => {});
  socket.on("close", () => open = false);
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", () => {
      socket.write(socket.alpnProtocol === "h2" ? preface : "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n");
    });
    socket.once("data", () => resolve());
    socket.once("close", () => reject(new Error("it was refused")));
  });
  return {
    socket,
    get open() {
      return open;
    },
  };
}

async function write(dir: string, { ca, server }: TestCertificates, further = ""): Promise<void> {
  await Deno.writeTextFile(`${dir}/ca.crt`, ca.certPem + further);
  await Deno.writeTextFile(`${dir}/tls.crt`, server.certPem);
  await Deno.writeTextFile(`${dir}/tls.key`, server.keyPem);
}

for (const [name, open] of Object.entries(listeners)) {
  leakTest(`${name}: with --close-revoked connections end with the trust in their CA, and others do not`, async () => {
    const dir = await Deno.makeTempDir();
    try {
      const [first, second] = [await makeTestCertificates("first"), await makeTestCertificates("second")];
      await write(dir, first, second.ca.certPem);
      await using files = await watchTls(
        { ca: `${dir}/ca.crt`, cert: `${dir}/tls.crt`, key: `${dir}/tls.key` },
        systemClock,
        20,
      );
      for (const closeRevoked of [true, false]) {
        await write(dir, first, second.ca.certPem);
        await until("both CAs are trusted", () => files.material.ca?.split("BEGIN CERT").length === 3);
        const failures: Error[] = [];
        await using listener = await open({ files, closeRevoked }, (error) => failures.push(error));
        const [leaves, stays] = [await connected(listener, first.client), await connected(listener, second.client)];
        await write(dir, second);
        await until("one CA is trusted", () => files.material.ca?.split("BEGIN CERT").length === 2);
        if (closeRevoked) {
          await until("the other's client is gone", () => !leaves.open);
          const [why] = failures;
          assert.ok(why instanceof EdgeError && why.reason === "revoked_certificate", String(why));
          assert.match(why.message, /CN=test client was issued by CN=first, which is not among .* \(--close-revoked\)/);
        } else {
          await assert.rejects(connected(listener, first.client), /it was refused/);
          assert.equal(leaves.open, true);
        }
        assert.equal(stays.open, true);
        for (const { socket } of [leaves, stays]) socket.destroy();
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

leakTest("with --close-revoked a connection ends when its certificate does", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const certificates = await makeTestCertificates("the CA");
    await write(dir, certificates);
    await using files = await watchTls(
      { ca: `${dir}/ca.crt`, cert: `${dir}/tls.crt`, key: `${dir}/tls.key` },
      systemClock,
    );
    const failures: Error[] = [];
    const clock = new VirtualClock(Date.now());
    await using listener = await listenGrpcOwn({
      ...grpc,
      clock,
      tls: { files, closeRevoked: true },
      onConnectionError: (error) => failures.push(error),
    });
    const brief = await issueLeaf(certificates.ca, {
      commonName: "brief",
      usages: ["client"],
      keyKind: "p-256",
      validity: { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) },
    });
    const [leaves, stays] = [await connected(listener, brief), await connected(listener, certificates.client)];
    clock.advance(50_000);
    assert.equal(failures.length, 0);
    clock.advance(20_000);
    await until("the connection has ended", () => !leaves.open);
    assert.match(failures[0]?.message ?? "", /its certificate expired on \d{4}-.* \(--close-revoked\)/);
    assert.equal(stays.open, true);
    stays.socket.destroy();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
