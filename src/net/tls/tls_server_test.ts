import assert from "node:assert/strict";
import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { testCertificates, writeTestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { issueLeaf } from "../../programs/certs/issue.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { listenConnect } from "../http_connect/connect_listener.ts";
import { listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import type { ListenAddress } from "../tcp/listen.ts";
import type { ServerTls } from "./tls_server.ts";
import { watchTls } from "./tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import type { Clock } from "../../runtime/clock.ts";

/** An open listener, and what it told of connections that failed. */
interface Listener extends AsyncDisposable {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

type Open = (tls: ServerTls, onConnectionError: (error: Error) => void, clock: Clock) => Promise<Listener>;

const address: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const directService = { path: "/AgentService/Connect", handle: () => {} };
const grpc = { address, services: [], router: () => {} };

const listeners: Readonly<Record<string, Open>> = {
  "HTTP CONNECT": (tls, onConnectionError, clock) =>
    listenConnect({ address, tls, clock, onConnectionError, fetch: () => new Response() }),
  "gRPC": (tls, onConnectionError, clock) => listenGrpc({ ...grpc, tls, clock, onConnectionError }),
  "gRPC and direct links": (tls, onConnectionError, clock) =>
    listenGrpc({ ...grpc, tls, directService, clock, onConnectionError }),
  "gRPC over our HTTP/2": (tls, onConnectionError, clock) => listenGrpcOwn({ ...grpc, tls, clock, onConnectionError }),
  "gRPC over our HTTP/2 and direct links": (tls, onConnectionError, clock) =>
    listenGrpcOwn({ ...grpc, tls, directService, clock, onConnectionError }),
};

async function connected({ address }: Listener): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  assert.ok(address.kind === "tcp");
  const socket = connectSocket(address.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, closed };
}

for (const [name, open] of Object.entries(listeners)) {
  leakTest(
    `${name}: a client that leaves before its handshake leaves nothing, as probes of load balancers do`,
    async () => {
      const dir = await Deno.makeTempDir();
      try {
        const { caCert, serverCert, serverKey } = await writeTestCertificates(dir, await testCertificates());
        await using files = await watchTls({ ca: caCert, cert: serverCert, key: serverKey }, systemClock);
        const failures: Error[] = [];
        await using listener = await open({ files }, (error) => failures.push(error), systemClock);
        const leave: readonly ((socket: Socket) => void)[] = [
          (socket) => socket.destroy(),
          (socket) => socket.end(),
          (socket) => socket.resetAndDestroy(),
          (socket) => socket.end("GET / HTTP/1.1\r\n\r\n"),
          (socket) => socket.end(new Uint8Array([22, 3, 1, 2, 0, 1])),
        ];
        for (const act of leave) {
          const before = failures.length;
          const { socket, closed } = await connected(listener);
          act(socket);
          // One that waits for the other side's end sees it.
          await closed;
          await until("the listener has told of it", () => failures.length > before);
        }
        // And one that just stays does not keep the listener from closing.
        const { closed } = await connected(listener);
        await listener.close();
        await closed;
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  );
  leakTest(`${name}: a client that takes for ever over its first TLS message is dropped`, async () => {
    const dir = await Deno.makeTempDir();
    try {
      const { caCert, serverCert, serverKey } = await writeTestCertificates(dir, await testCertificates());
      await using files = await watchTls({ ca: caCert, cert: serverCert, key: serverKey }, systemClock);
      const failures: Error[] = [];
      const clock = new VirtualClock(Date.now());
      await using listener = await open({ files }, (error) => failures.push(error), clock);
      const { socket, closed } = await connected(listener);
      // The head of a record, and then nothing that would complete it.
      socket.write(new Uint8Array([22, 3, 1, 2, 0]));
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
      socket.write(new Uint8Array([1]));
      clock.advance(edgeLimits.handshakeTimeoutMs);
      await closed;
      assert.deepEqual(failures.map((error) => Reflect.get(error, "reason")), ["slow_start"]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

leakTest("a new certificate does not bring back versions of TLS that were turned off", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const { clientCert, clientKey } = await writeTestCertificates(dir, await testCertificates());
    const read = { ca: `${dir}/ca.crt`, cert: `${dir}/server.crt`, key: `${dir}/server.key` };
    await using files = await watchTls(read, systemClock, 10);
    await using listener = await listenGrpcOwn({
      ...grpc,
      clock: systemClock,
      tls: { files, minVersion: "TLSv1.3" },
      onConnectionError: () => {},
    });
    assert.ok(listener.address.kind === "tcp");
    const { port } = listener.address;
    const [cert = "", key = ""] = await Promise.all([clientCert, clientKey].map((path) => Deno.readTextFile(path)));
    const { ca } = await testCertificates();
    const outcome = (maxVersion: "TLSv1.2" | "TLSv1.3") =>
      new Promise<string>((resolve) => {
        const options = { host: "127.0.0.1", port, ca: ca.certPem, cert, key, maxVersion, ALPNProtocols: ["h2"] };
        const socket = connectTls({ ...options, minVersion: "TLSv1.2" }, () => {
          resolve(String(socket.getProtocol()));
          socket.destroy();
        });
        socket.on("error", (error) => resolve(String(Reflect.get(error, "code"))));
      });
    assert.equal(await outcome("TLSv1.3"), "TLSv1.3");
    assert.notEqual(await outcome("TLSv1.2"), "TLSv1.2");
    const next = await issueLeaf(ca, {
      commonName: "next",
      usages: ["server"],
      addresses: ["127.0.0.1"],
      keyKind: "p-256",
    });
    const changed = new Promise<void>((resolve) => void files.onChange(() => resolve()));
    await Deno.writeTextFile(read.key, next.keyPem);
    await Deno.writeTextFile(read.cert, next.certPem);
    await changed;
    assert.equal(await outcome("TLSv1.3"), "TLSv1.3");
    assert.notEqual(await outcome("TLSv1.2"), "TLSv1.2");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
