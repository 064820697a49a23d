import assert from "node:assert/strict";
import { connect as connectSocket, type Socket } from "node:net";
import { leakTest } from "../../tests/support/leak_free.ts";
import { testCertificates, writeTestCertificates } from "../../tests/support/test_certificates.ts";
import { until } from "../../tests/support/until.ts";
import { listenConnect } from "./connect_listener.ts";
import { listenGrpc } from "./grpc_listener.ts";
import { listenGrpcOwn } from "./h2_listener.ts";
import type { ListenAddress } from "./listen.ts";
import type { ServerTls } from "./tls_server.ts";
import { watchTls } from "./tls_watch.ts";

/** An open listener, and what it told of connections that failed. */
interface Listener extends AsyncDisposable {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

type Open = (tls: ServerTls, onConnectionError: (error: Error) => void) => Promise<Listener>;

const address: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };
const directService = { path: "/AgentService/Connect", handle: () => {} };
const grpc = { address, services: [], router: () => {} };

const listeners: Readonly<Record<string, Open>> = {
  "HTTP CONNECT": (tls, onConnectionError) =>
    listenConnect({ address, tls, onConnectionError, fetch: () => new Response() }),
  "gRPC": (tls, onConnectionError) => listenGrpc({ ...grpc, tls, onConnectionError }),
  "gRPC and direct links": (tls, onConnectionError) => listenGrpc({ ...grpc, tls, directService, onConnectionError }),
  "gRPC over our HTTP/2": (tls, onConnectionError) => listenGrpcOwn({ ...grpc, tls, onConnectionError }),
  "gRPC over our HTTP/2 and direct links": (tls, onConnectionError) =>
    listenGrpcOwn({ ...grpc, tls, directService, onConnectionError }),
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
        await using files = await watchTls({ ca: caCert, cert: serverCert, key: serverKey });
        const failures: Error[] = [];
        await using listener = await open({ files }, (error) => failures.push(error));
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
}
