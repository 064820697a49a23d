import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { blackHole } from "../../tests/support/fakes/black_hole.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { NameFiles } from "../../tests/support/fakes/name_server.ts";
import { makeTestCertificates, testCertificates } from "../../tests/support/in_process/test_certificates.ts";
import { until } from "../../tests/support/assert/until.ts";
import { verifiedServer } from "../runtime/tls/server_identity.ts";
import { FamilyHistory } from "./address_order.ts";
import { NameResolver } from "./name_resolver.ts";
import { connectSecure } from "./secure_connect.ts";
import { systemClock } from "../runtime/system_clock.ts";

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly accepted: number;
  readonly open: number;
}

/** A TLS server, or one that accepts connections and says nothing. */
async function server(kind: "good" | "foreign" | "mute", address: string, port = 0): Promise<Server> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const onSocket = (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket)).resume();
  };
  const { server: leaf } = kind === "foreign" ? await makeTestCertificates("foreign CA") : await testCertificates();
  const listener = kind === "mute"
    ? createServer(onSocket)
    : createTlsServer({ cert: leaf.certPem, key: leaf.keyPem, ALPNProtocols: ["x"] }, (socket) => {
      socket.on("error", () => {}).resume();
    }).on("connection", onSocket).on("tlsClientError", () => {});
  listener.listen(port, address);
  await once(listener, "listening");
  const bound = listener.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

/** Connects to `localhost` where it has these addresses. */
async function connectLocal(port: number, addresses: readonly string[], signal = AbortSignal.timeout(60_000)) {
  using files = new NameFiles({ hosts: addresses.map((address) => `${address} localhost\n`).join("") });
  const clock = systemClock;
  const context = { clock, resolver: new NameResolver({ files, clock }), history: new FamilyHistory(clock) };
  const { ca } = await testCertificates();
  const tls = { ca: ca.certPem, ALPNProtocols: ["x"], ...verifiedServer(ca.certPem) };
  return await connectSecure("localhost", port, tls, signal, context);
}

leakTest("TLS is made with the address that connects first, and the certificate is held against the name", async () => {
  await using good = await server("good", "127.0.0.3");
  using dead = await blackHole("127.0.0.2", good.port);
  const socket = await connectLocal(dead.port, ["127.0.0.2", "127.0.0.3"]);
  assert.deepEqual([socket.remoteAddress, socket.authorized, socket.alpnProtocol], ["127.0.0.3", true, "x"]);
  socket.destroy();
  await until("the connection is gone", () => good.open === 0);
  assert.equal(good.accepted, 1);
});

leakTest("a line on which the first answer comes late connects, beside other attempts", async () => {
  using slow = await blackHole("127.0.0.2");
  using other = await blackHole("127.0.0.3", slow.port);
  const leave = new AbortController();
  const attempt = connectLocal(slow.port, ["127.0.0.2", "127.0.0.3"], leave.signal);
  await new Promise((resolve) => setTimeout(resolve, 700));
  slow.open();
  await until("the first attempt connected", () => slow.accepted === 1);
  assert.equal(other.accepted, 0);
  leave.abort(new Error("seen enough"));
  await assert.rejects(attempt, /seen enough/);
});

leakTest(
  "a server that refuses, says nothing or shows a foreign certificate leaves its place to the next one",
  async () => {
    await using good = await server("good", "127.0.0.5");
    await using mute = await server("mute", "127.0.0.3", good.port);
    await using foreign = await server("foreign", "127.0.0.4", good.port);
    const socket = await connectLocal(good.port, ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]);
    assert.equal(socket.remoteAddress, "127.0.0.5");
    socket.destroy();
    await until("all connections are gone", () => good.open + mute.open + foreign.open === 0);
  },
);

leakTest("where all fail, each reason is told, none of them empty", async () => {
  await using foreign = await server("foreign", "127.0.0.2");
  await assert.rejects(connectLocal(foreign.port, ["127.0.0.2", "127.0.0.3"]), (error: Error) => {
    assert.match(error.message, /.+; connect ECONNREFUSED 127\.0\.0\.3|connect ECONNREFUSED 127\.0\.0\.3.*; .+/);
    return true;
  });
  const { port } = foreign;
  await assert.rejects(connectLocal(port, ["127.0.0.3", "127.0.0.4"]), (error: Error) => {
    assert.equal(error.message, `connect ECONNREFUSED 127.0.0.3:${port}; connect ECONNREFUSED 127.0.0.4:${port}`);
    assert.equal(Reflect.get(error, "code"), "ECONNREFUSED");
    return true;
  });
});

leakTest("giving up ends every attempt, and a handshake", async () => {
  await using mute = await server("mute", "127.0.0.3");
  using dead = await blackHole("127.0.0.2", mute.port);
  for (const addresses of [["127.0.0.2"], ["127.0.0.3"], ["127.0.0.2", "127.0.0.3"]]) {
    const leave = new AbortController();
    const attempt = connectLocal(dead.port, addresses, leave.signal);
    await new Promise((resolve) => setTimeout(resolve, 350));
    leave.abort(new Error("client left"));
    await assert.rejects(attempt, /client left/);
  }
  await until("all connections are gone", () => mute.open === 0);
});
