import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import * as nodeTls from "node:tls";
import { createServer, getCACertificates, type TLSSocket } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { startConnectProxy } from "../../../tests/support/fakes/fake_connect_proxy.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";
import { parseHttpProxy } from "./http_proxy.ts";
import { connectSecureThrough } from "./proxy_tunnel.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { dialContext } from "../connector.ts";

const context = dialContext("links", systemClock);

/** Sets the runtime's roots; its types do not know the function yet. */
function setRoots(certificates: readonly string[]): void {
  const set: unknown = Reflect.get(nodeTls, "setDefaultCACertificates");
  assert.ok(typeof set === "function");
  set(certificates);
}

/** What the server has to send: many times of what sockets on the way take. */
const totalBytes = 256 * 1024 * 1024;
const chunk = Buffer.alloc(65_536);

/** A server that sends all of it as fast as it is taken. */
async function flood(cert: string, key: string) {
  const sockets = new Set<TLSSocket>();
  let taken = 0;
  const server = createServer({ cert, key }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket)).resume();
    const send = () => {
      if (socket.destroyed || taken >= totalBytes) return;
      socket.write(chunk, () => {
        taken += chunk.length;
        setImmediate(send);
      });
    };
    send();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    get taken() {
      return taken;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

for (const scheme of ["http", "https"]) {
  leakTest(`who does not read holds its server back, through an ${scheme}:// proxy too`, async () => {
    const { ca, server: { certPem: cert, keyPem: key } } = await testCertificates();
    const roots = getCACertificates("default");
    setRoots([ca.certPem]);
    using _roots = { [Symbol.dispose]: () => setRoots(roots) };
    await using server = await flood(cert, key);
    await using proxy = await startConnectProxy({
      targets: { "localhost:1": server.port },
      ...(scheme === "https" ? { tls: { cert, key } } : {}),
    });
    const address = parseHttpProxy(`${scheme}://localhost:${proxy.port}`);
    assert.ok(typeof address !== "string");
    const tls = { ca: ca.certPem, ...verifiedServer(ca.certPem) };
    const socket = await connectSecureThrough(address, "localhost", 1, tls, AbortSignal.timeout(60_000), context);
    assert.ok(withReadBackpressure(socket));
    let received = 0;
    socket.on("data", (bytes: Uint8Array) => received += bytes.length);
    await until("something has come", () => received > 1024 * 1024);
    socket.pause();
    let before = -1;
    await until("the server's bytes are taken no more", async () => {
      if (server.taken === before) return true;
      before = server.taken;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return false;
    });
    assert.ok(server.taken < totalBytes, `${server.taken} bytes were taken, ${received} were read`);
    const read = received;
    socket.resume();
    await until("it goes on", () => received > read + 1024 * 1024);
    socket.destroy();
    await until("nothing is left", () => proxy.open === 0);
  });
}
