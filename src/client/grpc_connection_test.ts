import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { proxyFailure as failure } from "../../tests/support/assert/proxy_failure.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import {
  echoScript,
  fakeGrpcProxy,
  grpcHeaders,
  rawGrpcProxy,
  rawProxy,
} from "../../tests/support/fakes/fake_proxy.ts";
import { until } from "../../tests/support/assert/until.ts";
import { closeResponse, dialed, drain, framePacket } from "../wire/packet.ts";
import { connect, dialFailureReason } from "./mod.ts";

leakTest("[client 1.7-25] [pains a-11] a lost proxy breaks its tunnels, and the next dial connects anew", async () => {
  await using first = await fakeGrpcProxy(echoScript);
  await using client = await first.connect();
  const tunnel = await client.dial("host:1");
  const reading = failure(tunnel.readable.getReader().read());
  await first.listener.close();
  assert.equal((await reading).code, "tunnel-closed");
  assert.equal((await failure(tunnel.closed)).code, "tunnel-closed");
  assert.equal((await failure(client.dial("host:1"))).code, "proxy-unreachable");
  await using second = await fakeGrpcProxy(echoScript);
  await Deno.rename(second.path, first.path);
  await using again = await client.dial("host:1");
  assert.ok(again);
});

leakTest("[pains a-9] a dial that is pending when the proxy is lost fails as tunnel-closed", async () => {
  await using proxy = await fakeGrpcProxy({});
  await using client = await proxy.connect();
  const dial = failure(client.dial("host:1"));
  await until("the dial has arrived", () => proxy.calls[0]?.log.length === 1);
  await proxy.listener.close();
  const error = await dial;
  assert.deepEqual([error.code, dialFailureReason(error)], ["tunnel-closed", "tunnelclosed"]);
});

leakTest("a GOAWAY leaves open tunnels alone, and the next dial uses another connection", async () => {
  const streams: ServerHttp2Stream[] = [];
  await using proxy = await rawGrpcProxy((stream) => {
    streams.push(stream);
    stream.respond(grpcHeaders);
    // Answers whatever number the dial has: the request's last field.
    stream.once("data", (bytes: Uint8Array) => stream.write(framePacket(dialed(lastVarint(bytes), 1))));
  });
  await using client = await proxy.connect({ closeTimeoutMs: 100 });
  const tunnel = await client.dial("host:1");
  streams[0]?.session?.goaway();
  streams[0]?.write(framePacket(drain()));
  await until("the client knows", async () => {
    const other = await client.dial("host:1");
    await other.close();
    return streams.at(-1)?.session !== streams[0]?.session;
  });
  streams[0]?.end(framePacket(closeResponse(1)));
  await tunnel.closed;
});

leakTest(
  "[client 1.7-7] [client 1.7-26] a proxy that is not there is proxy-unreachable, and nothing is left",
  async () => {
    const options = { mode: "grpc", transport: "unix", path: "/nonexistent/proxy.sock" } as const;
    const error = await failure(connect(options));
    assert.deepEqual([error.code, dialFailureReason(error)], ["proxy-unreachable", "streamsetup"]);
    assert.match(error.message, /\/nonexistent\/proxy\.sock/);
  },
);

leakTest("[client 1.7-7] a proxy that is no HTTP/2, hangs up, or says nothing is proxy-unreachable", async () => {
  const openings: ((socket: Socket) => void)[] = [
    (socket) => socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nthis is not what you want\r\n"),
    (socket) => socket.end(),
    () => {},
  ];
  for (const greet of openings) {
    await using proxy = await rawProxy(greet);
    const options = { mode: "grpc", transport: "unix", path: proxy.path, dialTimeoutMs: 1_000 } as const;
    assert.equal((await failure(connect(options))).code, "proxy-unreachable");
  }
});

leakTest("[client 1.7-17] a dial's own deadline holds while the connection to the proxy is made", async () => {
  await using first = await fakeGrpcProxy(echoScript);
  await using client = await first.connect();
  await first.listener.close();
  await using silent = await rawProxy(() => {});
  await Deno.rename(silent.path, first.path);
  await until("the loss is known", async () => {
    const error = await failure(client.dial("host:1", { signal: AbortSignal.timeout(100) }));
    return error.code === "cancelled";
  });
});

leakTest(
  "[client 1.7-17] [client 1.7-18] a stream that opens only after its dial was given up is ended too",
  async () => {
    await using proxy = await rawGrpcProxy((stream) => {
      streams.push(stream);
      stream.on("end", () => ended++);
      stream.resume();
      stream.respond(grpcHeaders, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    }, { maxConcurrentStreams: 1 });
    const streams: ServerHttp2Stream[] = [];
    let ended = 0;
    await using client = await proxy.connect();
    const first = new AbortController();
    const blocking = failure(client.dial("host:1", { signal: first.signal }));
    await until("the first stream is open", () => streams.length === 1);
    const error = await failure(client.dial("host:2", { signal: AbortSignal.timeout(100) }));
    assert.equal(error.code, "cancelled");
    first.abort();
    await blocking;
    await until("the first stream has ended", () => ended === 1);
    streams[0]?.end();
    await until("the late stream has come and ended", () => {
      streams[1]?.end();
      return ended === 2;
    });
  },
);

leakTest("[client 1.7-19] a dial asks for tcp, whatever the address looks like", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect();
  await using tunnel = await client.dial("udp:53");
  assert.ok(tunnel);
  assert.deepEqual(proxy.calls[0]?.log, ["DIAL_REQ tcp udp:53"]);
});

leakTest("[client 1.7-20] a dial whose stream breaks as it begins fails, and leaves nothing", async () => {
  await using proxy = await rawGrpcProxy((stream) => stream.close(2));
  await using client = await proxy.connect();
  for (let i = 0; i < 5; i++) assert.equal((await failure(client.dial("host:1"))).code, "tunnel-closed");
  assert.deepEqual([client.gauges.dialing, client.gauges.open], [0, 0]);
});

leakTest("[client 1.7-22] [client 1.7-23] closing eight times at once waits for every tunnel, once", async () => {
  await using proxy = await fakeGrpcProxy({
    ...echoScript,
    onCloseRequest: (call, id) => void setTimeout(() => call.finish(id), 50),
  });
  const client = await proxy.connect();
  const tunnels = await Promise.all(Array.from({ length: 8 }, () => client.dial("host:1")));
  let closed = 0;
  for (const tunnel of tunnels) void tunnel.closed.then(() => closed++);
  await Promise.all(Array.from({ length: 8 }, () => client.close()));
  assert.equal(closed, 8);
  for (const call of proxy.calls) assert.equal(call.log.filter((entry) => entry === "CLOSE_REQ 1").length, 1);
});

leakTest("[client 1.7] connecting can be cancelled", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  const options = { mode: "grpc", transport: "unix", path: proxy.path } as const;
  assert.equal((await failure(connect({ ...options, signal: AbortSignal.abort() }))).code, "cancelled");
});

/** The last varint of a request: `random`, its last field. */
function lastVarint(bytes: Uint8Array): bigint {
  let start = bytes.length - 1;
  while (start > 0 && (bytes[start - 1] ?? 0) >= 128) start--;
  return bytes.subarray(start).reduceRight((value, byte) => (value << 7n) | BigInt(byte & 127), 0n);
}
