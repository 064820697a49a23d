import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { proxyFailure as failure } from "../../tests/support/assert/proxy_failure.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { established, fakeConnectProxy } from "../../tests/support/fakes/fake_proxy.ts";
import { until } from "../../tests/support/assert/until.ts";
import { connect, type DialFailureReason, dialFailureReason } from "./mod.ts";

const refusals: readonly [title: string, answer: string, code: string, message: string][] = [
  [
    "502 with the agent's text",
    "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\ndial tcp 1.2.3.4:5: connect: connection refused",
    "endpoint",
    "dial tcp 1.2.3.4:5: connect: connection refused",
  ],
  ["504 without text", "HTTP/1.1 504 Gateway Timeout\r\n\r\n", "endpoint", "proxy answered 504 Gateway Timeout"],
  [
    "the original's 500 for a missing agent",
    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\ncurrently no tunnels available: No agent available",
    "no-agent",
    "currently no tunnels available: No agent available",
  ],
  [
    "403",
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!",
    "proxy-refused",
    "proxy answered 403 Forbidden: no!",
  ],
  [
    "403 for a destination that is not allowed",
    "HTTP/1.1 403 Forbidden\r\n\r\ndial tcp 10.0.0.1:22: not allowed: among this server's --deny-destinations\n",
    "not-allowed",
    "dial tcp 10.0.0.1:22: not allowed: among this server's --deny-destinations",
  ],
  ["garbage", "220 mail.example ESMTP\r\n", "protocol-error", ""],
  ["101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol-error", ""],
  ["half a head", "HTTP/1.1 200 Connec", "tunnel-closed", ""],
  ["nothing", "", "tunnel-closed", ""],
];
for (const [title, answer, code, message] of refusals) {
  leakTest(`[client 6.4] a proxy that answers CONNECT with ${title} and ends fails the dial as ${code}`, async () => {
    await using proxy = await fakeConnectProxy((socket) => socket.end(answer));
    const reasons: DialFailureReason[] = [];
    await using client = await proxy.connect({ events: { dialFailed: (reason) => reasons.push(reason) } });
    const error = await failure(client.dial("host:1"));
    assert.equal(error.code, code, error.message);
    if (message !== "") assert.equal(error.message, message);
    assert.deepEqual(reasons, [dialFailureReason(error)]);
  });
}

leakTest("a refusal whose connection stays open is known by its content-length", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nno");
    socket.write("pe");
  });
  await using client = await proxy.connect();
  assert.equal((await failure(client.dial("host:1"))).message, "nope");
  await until("the client has left", () => proxy.open === 0);
});

leakTest("a refusal whose text never ends is given up after a while", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000\r\n\r\nsome text");
  });
  await using client = await proxy.connect();
  assert.equal((await failure(client.dial("host:1"))).message, "some text");
});

leakTest("a refusal with megabytes of text keeps 16 KiB of it", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write(`HTTP/1.1 502 Bad Gateway\r\n\r\n${"a".repeat(3_000_000)}`);
  });
  await using client = await proxy.connect();
  assert.equal((await failure(client.dial("host:1"))).message.length, 16 * 1024);
});

leakTest("[client 6.4] a 100 Continue before the 200 is skipped", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write(`HTTP/1.1 100 Continue\r\n\r\n${established}`);
    socket.pipe(socket);
  });
  await using client = await proxy.connect();
  await using tunnel = await client.dial("host:1");
  await tunnel.writable.getWriter().write(new Uint8Array([5]));
  assert.deepEqual((await tunnel.readable.getReader().read()).value, new Uint8Array([5]));
});

leakTest("[client 6.4] bytes in the same segment as the 200 are delivered", async () => {
  await using proxy = await fakeConnectProxy((socket) => socket.end(`${established}hello`));
  await using client = await proxy.connect();
  await using tunnel = await client.dial("host:1");
  assert.equal(await new Response(tunnel.readable).text(), "hello");
});

leakTest("[client 0.2] the request names the destination twice and who asks, and nothing else", async () => {
  let request = "";
  await using proxy = await fakeConnectProxy((socket, head) => {
    request = head;
    socket.end(established);
  });
  await using client = await proxy.connect({ userAgent: "somebody/1" });
  await using tunnel = await client.dial("[fd00::1]:10250");
  assert.ok(tunnel);
  assert.equal(
    request,
    "CONNECT [fd00::1]:10250 HTTP/1.1\r\nHost: [fd00::1]:10250\r\nUser-Agent: somebody/1\r\n\r\n",
  );
});

leakTest("[client 6.4] a proxy that never answers can be left, and sees the client hang up", async () => {
  let asked = false;
  await using proxy = await fakeConnectProxy(() => asked = true);
  await using client = await proxy.connect();
  const abort = new AbortController();
  const dial = failure(client.dial("host:1", { signal: abort.signal }));
  await until("the proxy was asked", () => asked);
  abort.abort();
  assert.equal((await dial).code, "cancelled");
  await until("the client has left", () => proxy.open === 0);
});

leakTest("[client 6.4] a proxy that never answers costs the dial timeout", async () => {
  await using proxy = await fakeConnectProxy(() => {});
  await using client = await proxy.connect({ dialTimeoutMs: 100 });
  assert.equal((await failure(client.dial("host:1"))).code, "dial-timeout");
});

leakTest("a proxy that resets the connection breaks the tunnel, which is no end", async () => {
  let proxySide: Socket | undefined;
  await using proxy = await fakeConnectProxy((socket) => {
    proxySide = socket;
    socket.pause();
    socket.write(`${established}some`);
  });
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  const reader = tunnel.readable.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "some");
  // The system resets a Unix socket that is closed with bytes in it that were not read.
  await tunnel.writable.getWriter().write(new Uint8Array(1000));
  const reading = failure(reader.read());
  proxySide?.destroy();
  assert.equal((await reading).code, "connection-broken");
  assert.equal((await failure(tunnel.closed)).code, "connection-broken");
});

leakTest("over HTTP CONNECT a closed writable ends this side only, and the answer still comes", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write(established);
    let bytes = 0;
    socket.on("data", (chunk: Uint8Array) => bytes += chunk.length);
    socket.on("end", () => socket.end(`got ${bytes}`));
  });
  await using client = await proxy.connect();
  await using tunnel = await client.dial("host:1");
  const writer = tunnel.writable.getWriter();
  await writer.write(new Uint8Array(1000));
  await writer.close();
  assert.equal(await new Response(tunnel.readable).text(), "got 1000");
  await tunnel.closed;
});

leakTest("a proxy that does not end its side holds a close for the close timeout at most", async () => {
  await using proxy = await fakeConnectProxy((socket) => {
    socket.write(established);
    socket.resume();
  });
  await using client = await proxy.connect({ closeTimeoutMs: 100 });
  const tunnel = await client.dial("host:1");
  await tunnel.close();
  assert.equal((await failure(tunnel.closed)).code, "close-timeout");
});

leakTest("an unreachable proxy shows at the dial", async () => {
  await using client = await connect({ mode: "http-connect", transport: "unix", path: "/nonexistent/proxy.sock" });
  const error = await failure(client.dial("host:1"));
  assert.deepEqual([error.code, dialFailureReason(error)], ["proxy-unreachable", "streamsetup"]);
});
