import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { blackHole } from "../../../tests/support/fakes/black_hole.ts";
import { startConnectProxy } from "../../../tests/support/fakes/fake_connect_proxy.ts";
import { echoDestination } from "../../../tests/support/in_process/destinations.ts";
import { makeTestCertificates, testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { type HttpProxy, parseHttpProxy } from "./http_proxy.ts";
import {
  connectSecureThrough,
  maxHeadBytes,
  openTunnel,
  ProxyTunnelError,
  type ProxyTunnelErrorCode,
} from "./proxy_tunnel.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { dialContext } from "../connector.ts";

const context = dialContext("links", systemClock);

const patient = () => AbortSignal.timeout(60_000);

function proxyAt(port: number, scheme = "http", host = "127.0.0.1"): HttpProxy {
  const proxy = parseHttpProxy(`${scheme}://me:secret@${host}:${port}`);
  if (typeof proxy === "string") throw new Error(proxy);
  return proxy;
}

/** A TLS server that echoes. */
async function secureEcho(): Promise<{ readonly port: number; readonly open: number } & AsyncDisposable> {
  const { server: leaf } = await testCertificates();
  const sockets = new Set<Socket>();
  const server = createTlsServer({ cert: leaf.certPem, key: leaf.keyPem, ALPNProtocols: ["x"] }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket)).pipe(socket);
  }).on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Reads so many bytes as text. */
async function read(socket: Socket, bytes: number): Promise<string> {
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk.toString("latin1");
    if (text.length >= bytes) break;
  }
  return text;
}

leakTest("TLS is made with the server behind a proxy, which alone resolves the name", async () => {
  await using echo = await secureEcho();
  const { ca } = await testCertificates();
  await using proxy = await startConnectProxy({
    targets: { "localhost:8091": echo.port, "[fd00::1]:443": echo.port },
  });
  const tls = { ca: ca.certPem, ALPNProtocols: ["x"], ...verifiedServer(ca.certPem) };
  const socket = await connectSecureThrough(proxyAt(proxy.port), "localhost", 8091, tls, patient(), context);
  assert.deepEqual([socket.authorized, socket.alpnProtocol], [true, "x"]);
  socket.write("ping");
  assert.equal(await read(socket, 4), "ping");
  socket.destroy();
  await until("nothing is left", () => proxy.open + echo.open === 0);
  await assert.rejects(
    connectSecureThrough(proxyAt(proxy.port), "fd00::1", 443, tls, patient(), context),
    { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
  );
  assert.deepEqual(proxy.requests.map(({ authority }) => authority), ["localhost:8091", "[fd00::1]:443"]);
  assert.deepEqual(proxy.users, [`Basic ${btoa("me:secret")}`, `Basic ${btoa("me:secret")}`]);
  assert.match(proxy.requests[0]?.head ?? "", /^CONNECT localhost:8091 HTTP\/1\.1\r\nHost: localhost:8091\r\n/);
  await until("nothing is left", () => proxy.open + echo.open === 0);
});

leakTest("an https:// proxy whose certificate the runtime's roots do not know is told nothing", async () => {
  const { server: leaf } = await testCertificates();
  await using proxy = await startConnectProxy({ targets: {}, tls: { cert: leaf.certPem, key: leaf.keyPem } });
  await assert.rejects(openTunnel(proxyAt(proxy.port, "https"), "a.example", 1, patient(), context), (error) => {
    assert.ok(error instanceof ProxyTunnelError && error.code === "unreachable", String(error));
    assert.match(error.message, /^proxy https:\/\/127\.0\.0\.1:\d+ cannot be connected to: ./);
    return true;
  });
  assert.equal(proxy.requests.length, 0);
});

leakTest("a server behind the proxy that shows a foreign certificate is refused", async () => {
  await using echo = await secureEcho();
  await using proxy = await startConnectProxy({ targets: { "localhost:1": echo.port } });
  const { ca } = await makeTestCertificates("stranger");
  const tls = { ca: ca.certPem, ...verifiedServer(ca.certPem) };
  const attempt = connectSecureThrough(proxyAt(proxy.port), "localhost", 1, tls, patient(), context);
  await assert.rejects(attempt, {
    name: "BehindProxyError",
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    message: new RegExp(` \\(through proxy http://127\\.0\\.0\\.1:${proxy.port}\\)$`),
  });
  await until("nothing is left", () => proxy.open + echo.open === 0);
});

leakTest("what a proxy sends behind its 200 is read first, however it is cut", async () => {
  const answer = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nwelcome";
  for (const at of [answer.length, 1, 16, answer.length - 8, answer.length - 7, answer.length - 3]) {
    await using proxy = await startConnectProxy({
      targets: (client) => {
        client.setNoDelay(true);
        client.write(answer.slice(0, at), () => setTimeout(() => client.write(answer.slice(at) + ", friend"), 20));
      },
    });
    const socket = await openTunnel(proxyAt(proxy.port), "a.example", 1, patient(), context);
    assert.equal(await read(socket, "welcome, friend".length), "welcome, friend", String(at));
    socket.destroy();
  }
});

leakTest("bytes go both ways through a tunnel without TLS", async () => {
  await using echo = await echoDestination();
  await using proxy = await startConnectProxy({ targets: { "a.example:1": echo.port } });
  const socket = await openTunnel(proxyAt(proxy.port), "a.example", 1, patient(), context);
  socket.write("x".repeat(100_000));
  assert.equal((await read(socket, 100_000)).length, 100_000);
  socket.destroy();
});

type Play = (client: Socket) => void;

const refusals: readonly (readonly [what: string, play: Play, code: ProxyTunnelErrorCode, says: RegExp])[] = [
  [
    "407",
    (client) => void client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    "refused",
    /answered 407 Proxy Authentication Required when it was asked for a\.example:8091$/,
  ],
  ["403", (client) => void client.end("HTTP/1.0 403\n\n"), "refused", /answered 403 when/],
  [
    "a reason of control characters",
    (client) => void client.write(`HTTP/1.1 502 \x1b[31mno\x00${"!".repeat(200)}\r\n\r\n`),
    "refused",
    /answered 502 \[31mno!{90,98} when/,
  ],
  ["201", (client) => void client.write("HTTP/1.1 201 Created\r\n\r\n"), "refused", /answered 201 Created/],
  ["garbage", (client) => void client.write("SSH-2.0-x\r\n"), "malformed", /something that is no HTTP\/1\.1$/],
  ["HTTP/2", (client) => void client.write("HTTP/2 200\r\n\r\n"), "malformed", /no HTTP\/1\.1$/],
  ["no status", (client) => void client.write("HTTP/1.1 yes\r\n\r\n"), "malformed", /something that is no HTTP\/1\.1$/],
  [
    "a switch of protocols",
    (client) => void client.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "malformed",
    /101 Switching Protocols/,
  ],
  [
    "a bad header, with what was sent",
    (client) => void client.write("HTTP/1.1 200 OK\r\n no name: me:secret\r\n\r\n"),
    "malformed",
    /a header that is none$/,
  ],
  ["an end", (client) => void client.end(), "closed", /closed the connection before it answered$/],
  ["half an answer", (client) => void client.end("HTTP/1.1 200 OK\r\n"), "closed", /closed the connection before/],
  ["a reset", (client) => void client.resetAndDestroy(), "closed", /(broke|closed) the connection before it answered/],
  [
    "an oversized head",
    (client) => void client.write(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(maxHeadBytes)}`),
    "malformed",
    /a head of more than 16384 bytes$/,
  ],
];

leakTest("whatever a proxy does but connect is an error that names it, and neither user nor password", async () => {
  for (const [what, play, code, says] of refusals) {
    await using proxy = await startConnectProxy({ targets: play });
    await assert.rejects(openTunnel(proxyAt(proxy.port), "a.example", 8091, patient(), context), (error) => {
      assert.ok(error instanceof ProxyTunnelError, `${what}: ${error}`);
      assert.equal(error.code, code, `${what}: ${error}`);
      assert.ok(error.message.startsWith(`proxy http://127.0.0.1:${proxy.port} `), error.message);
      assert.match(error.message, says);
      assert.doesNotMatch(Deno.inspect(error, { depth: 9 }), /secret|Basic/);
      return true;
    });
    await until(`${what}: the connection is gone`, () => proxy.open === 0);
    assert.equal(proxy.accepted, 1);
  }
});

leakTest("a reason that repeats user or password, in whatever form, is left out", async () => {
  const sent = btoa("me:secret");
  for (
    const reason of [
      `user ${sent}`,
      "bad user me:secret",
      "not secret",
      `Proxy-Authorization: Basic ${sent.slice(0, 6)}`,
    ]
  ) {
    await using proxy = await startConnectProxy({
      targets: (client) => void client.end(`HTTP/1.1 407 ${reason}\r\n\r\n`),
    });
    await assert.rejects(openTunnel(proxyAt(proxy.port), "a.example", 1, patient(), context), {
      code: "refused",
      message: `proxy http://127.0.0.1:${proxy.port} answered 407 when it was asked for a.example:1`,
    });
  }
});

leakTest("interim answers without an end are no answer, and are not read until the deadline", async () => {
  const interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
  await using proxy = await startConnectProxy({
    targets: (client) => void client.write(interim.repeat(maxHeadBytes / interim.length + 1)),
  });
  await assert.rejects(openTunnel(proxyAt(proxy.port), "a.example", 1, patient(), context), {
    code: "malformed",
    message: /a head of more than 16384 bytes$/,
  });
});

leakTest("a proxy that nobody listens at is told as such", async () => {
  const { port } = await using(async () => await startConnectProxy({ targets: {} }));
  await assert.rejects(openTunnel(proxyAt(port), "a.example", 1, patient(), context), {
    code: "unreachable",
    message: `proxy http://127.0.0.1:${port} cannot be connected to: connect ECONNREFUSED 127.0.0.1:${port}`,
  });
});

/** Makes something and puts it away. */
async function using<T extends AsyncDisposable>(make: () => Promise<T>): Promise<T> {
  await using made = await make();
  return made;
}

leakTest("a proxy that is silent, or drips its answer, is given up at the deadline", async () => {
  let drip: ReturnType<typeof setInterval> | undefined;
  const plays: readonly Play[] = [
    () => {},
    (client) => {
      client.write("HTTP/1.1 200 OK\r\n");
      drip = setInterval(() => client.write("x"), 20);
    },
  ];
  for (const play of plays) {
    await using proxy = await startConnectProxy({ targets: play });
    const attempt = openTunnel(proxyAt(proxy.port), "a.example", 1, patient(), context, { answerMs: 300 });
    await assert.rejects(attempt, {
      code: "timeout",
      message: `proxy http://127.0.0.1:${proxy.port} did not answer within 0.3 s`,
    });
    await until("the connection is gone", () => proxy.open === 0);
    clearInterval(drip);
  }
  using hole = await blackHole("127.0.0.2");
  const lost = openTunnel(proxyAt(hole.port, "http", "127.0.0.2"), "a.example", 1, patient(), context, {
    answerMs: 300,
  });
  await assert.rejects(lost, { code: "timeout", message: /could not be connected to within 0\.3 s$/ });
});

leakTest("giving up ends it at every stage, with the reason", async () => {
  const certificates = await testCertificates();
  const { ca } = certificates;
  const tls = { ca: ca.certPem, ...verifiedServer(ca.certPem) };
  let step = "";
  await using proxy = await startConnectProxy({
    targets: (client) => {
      if (step === "handshake") client.resume().write("HTTP/1.1 200 OK\r\n\r\n");
    },
  });
  const before = AbortSignal.abort(new Error("left"));
  await assert.rejects(openTunnel(proxyAt(proxy.port), "a.example", 1, before, context), /left/);
  assert.equal(proxy.accepted, 0);
  for (step of ["answer", "handshake"]) {
    const leave = new AbortController();
    const asked = proxy.requests.length;
    const attempt = connectSecureThrough(proxyAt(proxy.port), "a.example", 1, tls, leave.signal, context);
    await until("the proxy is asked", () => proxy.requests.length > asked);
    leave.abort(new Error("client left"));
    await assert.rejects(attempt, /client left/);
    await until("the connection is gone", () => proxy.open === 0);
  }
});

leakTest("a host that is no host is not sent", async () => {
  await using proxy = await startConnectProxy({ targets: {} });
  await assert.rejects(openTunnel(proxyAt(proxy.port), "a\r\nX: y", 1, patient(), context), TypeError);
  assert.equal(proxy.accepted, 0);
});
