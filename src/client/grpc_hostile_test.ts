import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { leakTest } from "../../tests/support/leak_free.ts";
import { type CallScript, echoScript, fakeGrpcProxy, rawGrpcProxy } from "../../tests/support/fake_proxy.ts";
import { until } from "../../tests/support/until.ts";
import {
  closeDial,
  closeRequest,
  closeResponse,
  dialed,
  dialFailed,
  drain,
  framePacket,
  type Packet,
} from "../wire/packet.ts";
import { connect, type DialFailureReason, dialFailureReason, ProxyError } from "./mod.ts";

const grpcHeaders = { ":status": 200, "content-type": "application/grpc" };

async function failure(promise: Promise<unknown>): Promise<ProxyError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ProxyError, String(error));
    return error;
  }
  return assert.fail("it succeeded");
}

leakTest("[client 1.7-9] a cancelled dial sends DIAL_CLS, and the client goes on", async () => {
  let answering = false;
  await using proxy = await fakeGrpcProxy({
    ...echoScript,
    onDial: (call) => {
      if (answering) call.answer(1);
    },
  });
  const reasons: DialFailureReason[] = [];
  await using client = await proxy.connect({ events: { dialFailed: (reason) => reasons.push(reason) } });
  const abort = new AbortController();
  const dial = client.dial("host:1", { signal: abort.signal });
  await until("the dial has arrived", () => proxy.calls[0]?.log.length === 1);
  assert.equal(client.gauges.dialing, 1);
  const why = new Error("changed my mind");
  abort.abort(why);
  const error = await failure(dial);
  assert.deepEqual([error.code, error.cause, reasons], ["cancelled", why, ["context"]]);
  await until("the proxy was told", () => proxy.calls[0]?.log.at(-1) === "end");
  assert.deepEqual(proxy.calls[0]?.log, ["DIAL_REQ tcp host:1", "DIAL_CLS", "end"]);
  answering = true;
  await using tunnel = await client.dial("host:1");
  assert.ok(tunnel);
});

leakTest("[client 1.7-9] an aborted signal fails the dial before anything is sent", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect();
  const error = await failure(client.dial("host:1", { signal: AbortSignal.abort(new Error("no")) }));
  assert.equal(error.code, "cancelled");
  assert.equal(proxy.calls.length, 0);
});

leakTest("[client 1.7] a signal that aborts after the dial leaves the tunnel alone", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect();
  const abort = new AbortController();
  await using tunnel = await client.dial("host:1", { signal: abort.signal });
  abort.abort();
  const writer = tunnel.writable.getWriter();
  await writer.write(new Uint8Array([1]));
  assert.deepEqual((await tunnel.readable.getReader().read()).value, new Uint8Array([1]));
});

leakTest("[pains a-2] a proxy that never answers a dial costs the dial timeout, and is told by DIAL_CLS", async () => {
  await using proxy = await fakeGrpcProxy({});
  const reasons: DialFailureReason[] = [];
  await using client = await proxy.connect({
    dialTimeoutMs: 100,
    events: { dialFailed: (reason) => reasons.push(reason) },
  });
  const error = await failure(client.dial("host:1"));
  assert.equal(error.code, "dial-timeout");
  assert.match(error.message, /^dial timeout, backstop/);
  assert.deepEqual(reasons, ["timeout"]);
  await until("the proxy was told", () => proxy.calls[0]?.log.includes("DIAL_CLS") === true);
});

const dialOutcomes: readonly [title: string, answer: (random: bigint) => Packet, code: string, reason: string][] = [
  ["an answer with an error", (random) => dialFailed(random, "no route"), "endpoint", "endpoint"],
  ["no agent", (random) => dialFailed(random, "No agent available"), "no-agent", "endpoint"],
  ["DIAL_CLS", closeDial, "dial-closed", "dialclosed"],
  ["an answer to another dial", (random) => dialed(random ^ 1n, 1), "protocol-error", "unknown"],
];
for (const [title, answer, code, reason] of dialOutcomes) {
  leakTest(`[client 1.7-10..11] ${title} fails a dial as ${code}, counted as ${reason}`, async () => {
    await using proxy = await fakeGrpcProxy({ onDial: (call) => void call.stream.sendPacket(answer(call.random)) });
    await using client = await proxy.connect();
    const error = await failure(client.dial("host:1"));
    assert.equal(error.code, code);
    assert.equal(dialFailureReason(error), reason);
  });
}

leakTest("[client 1.7-6] [pains a-8] close waits 10 seconds at most for CLOSE_RSP; here less is allowed", async () => {
  const silent: CallScript = { onDial: (call) => call.answer(1) };
  await using proxy = await fakeGrpcProxy(silent);
  await using client = await proxy.connect({ closeTimeoutMs: 100 });
  const tunnel = await client.dial("host:1");
  const reading = tunnel.readable.getReader().read();
  await tunnel.close();
  assert.equal((await failure(tunnel.closed)).code, "close-timeout");
  assert.deepEqual(await reading, { value: undefined, done: true });
  assert.equal(proxy.calls[0]?.log.at(-1), "CLOSE_REQ 1");
});

leakTest("[client 1.7-5] the close handshake names the connection, and both sides end", async () => {
  await using proxy = await fakeGrpcProxy({ ...echoScript, onDial: (call) => call.answer(100) });
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  await tunnel.close();
  await tunnel.closed;
  await until("the stream has ended", () => proxy.calls[0]?.end !== undefined);
  assert.deepEqual(proxy.calls[0]?.log, ["DIAL_REQ tcp host:1", "CLOSE_REQ 100", "end"]);
  assert.deepEqual(proxy.calls[0]?.end, { kind: "ended" });
});

leakTest("[pains a-16] closing again sends nothing again", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  await Promise.all([tunnel.close(), tunnel.close()]);
  await tunnel.close();
  assert.equal(proxy.calls[0]?.log.filter((entry) => entry.startsWith("CLOSE_REQ")).length, 1);
});

leakTest("[client 1.7-16] a cancelled dial leaves its neighbours alone", async () => {
  await using proxy = await fakeGrpcProxy({
    ...echoScript,
    onDial: (call) => {
      if (call.address === "answering:1") call.answer(1);
    },
  });
  await using client = await proxy.connect();
  await using tunnel = await client.dial("answering:1");
  const abort = new AbortController();
  const dial = client.dial("silent:1", { signal: abort.signal });
  await until("the dial has arrived", () => proxy.calls.length === 2);
  abort.abort();
  await failure(dial);
  await tunnel.writable.getWriter().write(new Uint8Array([7]));
  assert.deepEqual((await tunnel.readable.getReader().read()).value, new Uint8Array([7]));
});

leakTest("[client 1.7-14] 8 dials one after another use one connection", async () => {
  let sessions = new Set<unknown>();
  await using proxy = await rawGrpcProxy((stream) => {
    sessions = sessions.add(stream.session);
    stream.respond(grpcHeaders);
    stream.write(framePacket(dialFailed(0n, "x")));
    stream.end();
  });
  await using client = await proxy.connect();
  for (let i = 0; i < 8; i++) await failure(client.dial("host:1"));
  assert.equal(sessions.size, 1);
});

leakTest("[client 1.7-24] closing fails 64 dials in progress as tunnel-closed and waits for them", async () => {
  await using proxy = await fakeGrpcProxy({});
  const client = await proxy.connect();
  const dials = Array.from({ length: 64 }, () => failure(client.dial("host:1")));
  await until("some dials have arrived", () => proxy.calls.length > 10);
  await client.close();
  const codes = new Set((await Promise.all(dials)).map((error) => error.code));
  assert.deepEqual([...codes], ["tunnel-closed"]);
  assert.equal(client.gauges.dialing, 0);
});

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

leakTest("[client 1.7-26] a connection that is refused, or is no HTTP/2, is proxy-unreachable", async () => {
  const options = { mode: "grpc", transport: "unix", path: "/nonexistent/proxy.sock" } as const;
  const error = await failure(connect(options));
  assert.deepEqual([error.code, dialFailureReason(error)], ["proxy-unreachable", "streamsetup"]);
  assert.match(error.message, /\/nonexistent\/proxy\.sock/);
});

leakTest("[client 1.7] connecting can be cancelled", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  const options = { mode: "grpc", transport: "unix", path: proxy.path } as const;
  assert.equal((await failure(connect({ ...options, signal: AbortSignal.abort() }))).code, "cancelled");
});

const refusals: readonly [title: string, headers: Record<string, string | number>, code: string][] = [
  ["gRPC status Unimplemented", { ...grpcHeaders, "grpc-status": "12", "grpc-message": "no such" }, "proxy-refused"],
  ["gRPC status PermissionDenied", { ...grpcHeaders, "grpc-status": "7" }, "proxy-refused"],
  ["gRPC status Unavailable", { ...grpcHeaders, "grpc-status": "14" }, "tunnel-closed"],
  ["HTTP status 404", { ":status": 404 }, "proxy-refused"],
];
for (const [title, headers, code] of refusals) {
  leakTest(`[client 1.7-26] a call that is answered with ${title} fails the dial as ${code}`, async () => {
    await using proxy = await rawGrpcProxy((stream) => {
      stream.respond(headers, { endStream: true });
    });
    await using client = await proxy.connect();
    assert.equal((await failure(client.dial("host:1"))).code, code);
  });
}

const garbage: readonly [title: string, bytes: Uint8Array, end: boolean][] = [
  ["a message that is no packet", Uint8Array.of(0, 0, 0, 0, 3, 0xff, 0xff, 0xff), false],
  ["a compressed message", Uint8Array.of(1, 0, 0, 0, 1, 0), false],
  ["a message of 5 MiB", Uint8Array.of(0, 0, 0x50, 0, 0, 8, 4), false],
  ["a message that is cut off", Uint8Array.of(0, 0, 0, 0, 9, 8, 1), true],
];
for (const [title, bytes, end] of garbage) {
  leakTest(`${title} fails the dial as protocol-error at once, and the client goes on`, async () => {
    let calls = 0;
    await using proxy = await rawGrpcProxy((stream) => {
      stream.respond(grpcHeaders);
      stream.resume();
      if (++calls > 1) return stream.close(8);
      stream.write(bytes);
      if (end) stream.end();
    });
    await using client = await proxy.connect();
    assert.equal((await failure(client.dial("host:1"))).code, "protocol-error");
    assert.equal((await failure(client.dial("host:1"))).code, "tunnel-closed");
  });
}

leakTest("empty messages, empty DATA and packets without payload are ignored", async () => {
  await using proxy = await rawGrpcProxy((stream) => {
    stream.respond(grpcHeaders);
    stream.once("data", (bytes: Uint8Array) => {
      stream.write(Uint8Array.of(0, 0, 0, 0, 0));
      for (const type of [1, 2, 3, 4, 5, 6, 77]) stream.write(Uint8Array.of(0, 0, 0, 0, 2, 8, type));
      stream.write(framePacket(dialed(lastVarint(bytes), 1)));
      // DATA with connection 1 and no bytes, in both spellings.
      stream.write(Uint8Array.of(0, 0, 0, 0, 6, 8, 4, 0x22, 2, 8, 1));
      stream.write(Uint8Array.of(0, 0, 0, 0, 8, 8, 4, 0x22, 4, 8, 1, 0x1a, 0));
      stream.write(Uint8Array.of(0, 0, 0, 0, 10, 8, 4, 0x22, 6, 8, 1, 0x1a, 2, 104, 105));
      stream.write(framePacket(closeRequest(1)));
      stream.end(framePacket(closeResponse(1)));
    });
  });
  await using client = await proxy.connect();
  await using tunnel = await client.dial("host:1");
  assert.equal(await new Response(tunnel.readable).text(), "hi");
  await tunnel.closed;
});

leakTest("a tunnel that ends in an error errors both streams with the proxy's text", async () => {
  await using proxy = await fakeGrpcProxy({
    onDial: (call) => call.answer(1),
    onData: (call) => call.finish(1, "write: broken pipe"),
  });
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  const writer = tunnel.writable.getWriter();
  const reading = failure(tunnel.readable.getReader().read());
  await writer.write(new Uint8Array(1));
  const error = await reading;
  assert.deepEqual([error.code, error.message], ["connection-broken", "write: broken pipe"]);
  assert.equal(await failure(tunnel.closed), error);
  assert.equal(await failure(writer.write(new Uint8Array(1))), error);
});

leakTest("the dial asks for early data, and says who asks", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect({ userAgent: "somebody/1" });
  await using tunnel = await client.dial("host:1");
  assert.ok(tunnel);
  assert.deepEqual(proxy.calls[0]?.call.metadata("konnectivity-features"), ["early-data"]);
  assert.deepEqual(proxy.calls[0]?.call.metadata("user-agent"), ["somebody/1"]);
});

leakTest("packets and bytes are counted in both directions", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  await tunnel.writable.getWriter().write(new Uint8Array(100_000));
  const reader = tunnel.readable.getReader();
  for (let bytes = 0; bytes < 100_000;) bytes += (await reader.read()).value?.length ?? 0;
  await tunnel.close();
  const { from_client: sent, to_client: received } = client.gauges.packets;
  const counts = (of: (type: number) => number) => [0, 1, 2, 3, 4, 5, 6].map(of).join(" ");
  assert.equal(counts((type) => sent.of(type)), "1 0 1 0 2 0 0");
  assert.equal(sent.dataBytes, 100_000);
  assert.equal(received.of(1), 1);
  assert.equal(received.of(3), 1);
  assert.equal(received.dataBytes, 100_000);
});

leakTest("a writer whose proxy does not read is held back, and can be aborted", async () => {
  await using proxy = await fakeGrpcProxy({
    onDial: (call) => {
      call.answer(1);
      call.stream.pause();
    },
  });
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  const writer = tunnel.writable.getWriter();
  let written = 0;
  const writing = failure((async () => {
    for (;;) {
      await writer.write(new Uint8Array(64 * 1024));
      written += 64 * 1024;
    }
  })());
  // As much as one HTTP/2 window and the buffers around it take, and then no more.
  let last = -1;
  await until("writing has come to a stand", async () => {
    const before = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
    last = written;
    return before > 0 && before === written;
  });
  assert.ok(last < 4 * 1024 * 1024, `${last} bytes were taken`);
  await writer.abort(new Error("enough"));
  assert.equal((await writing).code, "cancelled");
});

/** The last varint of a request: `random`, its last field. */
function lastVarint(bytes: Uint8Array): bigint {
  let start = bytes.length - 1;
  while (start > 0 && (bytes[start - 1] ?? 0) >= 128) start--;
  return bytes.subarray(start).reduceRight((value, byte) => (value << 7n) | BigInt(byte & 127), 0n);
}
