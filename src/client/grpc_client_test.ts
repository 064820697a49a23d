import assert from "node:assert/strict";
import { proxyFailure as failure } from "../../tests/support/assert/proxy_failure.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import {
  type CallScript,
  echoScript,
  fakeGrpcProxy,
  grpcHeaders,
  rawGrpcProxy,
} from "../../tests/support/fakes/fake_proxy.ts";
import { until } from "../../tests/support/assert/until.ts";
import { closeDial, dialed, dialFailed, framePacket, type Packet } from "../wire/packet.ts";
import { createClientMetrics } from "../metrics/client_metrics.ts";
import { type DialFailureReason, dialFailureReason, type ProxyClient } from "./mod.ts";

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
  [
    "a destination that is not allowed",
    (random) => dialFailed(random, "dial tcp a:1: not allowed: not among this agent's --destinations"),
    "not-allowed",
    "endpoint",
  ],
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

leakTest("[client 1.7-12] the original's metrics show a client's dials, tunnels, packets and failures", async () => {
  const clients: ProxyClient[] = [];
  const metrics = createClientMetrics(() => clients.map(({ gauges }) => gauges));
  await using proxy = await fakeGrpcProxy({
    ...echoScript,
    onDial: (call) => call.address === "host:1" ? call.answer(1) : call.fail("refused"),
  });
  await using client = await proxy.connect({ events: metrics.events });
  clients.push(client);
  await using tunnel = await client.dial("host:1");
  assert.ok(tunnel);
  await failure(client.dial("host:2"));
  const text = await metrics.text();
  const prefix = "konnectivity_network_proxy_client_";
  for (
    const line of [
      `${prefix}dial_failure_total{reason="endpoint"} 1`,
      `${prefix}client_connections{status="ok"} 1`,
      `${prefix}client_connections{status="dialing"} 0`,
      `${prefix}stream_packets_total{packet_type="DIAL_REQ",segment="from_client"} 2`,
      `${prefix}stream_packets_total{packet_type="DIAL_RSP",segment="to_client"} 2`,
    ]
  ) assert.ok(text.includes(`${line}\n`), `${line} is missing in\n${text}`);
});

leakTest("the dial asks for early data, and says who asks", async () => {
  await using proxy = await fakeGrpcProxy(echoScript);
  await using client = await proxy.connect({ userAgent: "somebody/1" });
  await using tunnel = await client.dial("host:1");
  assert.ok(tunnel);
  assert.deepEqual(proxy.calls[0]?.call.metadata("konnectivity-features"), ["early-data,half-close"]);
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
