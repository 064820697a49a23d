import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import {
  bannerDestination,
  bannerText,
  collectDestination,
  echoDestination,
  patternBytes,
  refusingAddress,
  sourceDestination,
} from "../../tests/support/in_process/destinations.ts";
import { type FakeProxy, relayConnectProxy, relayGrpcProxy } from "../../tests/support/fakes/fake_proxy.ts";
import { until } from "../../tests/support/assert/until.ts";
import type { ProxyError, Tunnel } from "./mod.ts";

const proxies: Readonly<Record<string, () => Promise<FakeProxy>>> = {
  grpc: relayGrpcProxy,
  "http-connect": relayConnectProxy,
};

async function readAll(tunnel: Tunnel): Promise<Uint8Array> {
  return new Uint8Array(await new Response(tunnel.readable).arrayBuffer());
}

/** What every kind of proxy must do, over both. */
function bothTest(title: string, body: (proxy: FakeProxy) => Promise<void>): void {
  for (const [mode, start] of Object.entries(proxies)) {
    leakTest(title.replace("MODE", mode), async () => {
      await using proxy = await start();
      await body(proxy);
    });
  }
}

bothTest("[client 1.7-4] an echo of three writes comes back over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using echo = await echoDestination();
  await using tunnel = await client.dial(echo.address);
  const writer = tunnel.writable.getWriter();
  const reader = tunnel.readable.getReader();
  for (const word of ["one", "two", "three"]) {
    await writer.write(new TextEncoder().encode(word));
    const { value } = await reader.read();
    assert.equal(new TextDecoder().decode(value), word);
  }
});

bothTest("a destination that speaks first is heard from its first byte over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using banner = await bannerDestination();
  for (let i = 0; i < 20; i++) {
    await using tunnel = await client.dial(banner.address);
    const { value } = await tunnel.readable.getReader().read();
    assert.equal(new TextDecoder().decode(value), bannerText);
  }
});

bothTest("20 MiB to a slow reader arrive whole over MODE, and little of them is ever held", async (proxy) => {
  await using client = await proxy.connect();
  await using source = await sourceDestination();
  const size = 20 * 1024 * 1024;
  await using tunnel = await client.dial(source.address);
  await tunnel.writable.getWriter().write(new TextEncoder().encode(`${size}\n`));
  const expected = patternBytes(size);
  let at = 0;
  for await (const chunk of tunnel.readable) {
    assert.ok(expected.subarray(at, at + chunk.length).equals(chunk), `bytes at ${at}`);
    at += chunk.length;
    assert.ok(queued(tunnel).toCaller <= 512 * 1024, `${queued(tunnel).toCaller} bytes held`);
    // Slow enough that the sender is far ahead whenever it may be.
    if (at % (1024 * 1024) < chunk.length) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(at, size);
  // Over HTTP CONNECT this side is open still.
  await tunnel.close();
  await tunnel.closed;
});

bothTest("a reader that stops reading stops the sender over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using source = await sourceDestination();
  const size = 40 * 1024 * 1024;
  const tunnel = await client.dial(source.address);
  const reader = tunnel.readable.getReader();
  await tunnel.writable.getWriter().write(new TextEncoder().encode(`${size}\n`));
  await reader.read();
  await until("the readable is full", () => queued(tunnel).toCaller >= 256 * 1024);
  // Nothing that is held grows while a neighbour works.
  await using neighbour = await client.dial(source.address);
  await neighbour.writable.getWriter().write(new TextEncoder().encode("1000000\n"));
  assert.equal((await readAll(neighbour)).length, 1_000_000);
  assert.ok(queued(tunnel).toCaller <= 512 * 1024, `${queued(tunnel).toCaller} bytes held`);
  await reader.cancel();
  await tunnel.writable.abort().catch(() => {});
  await tunnel.close();
});

bothTest("24 tunnels that nobody reads stall no neighbour over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using source = await sourceDestination();
  const request = new TextEncoder().encode("4000000\n");
  const stalled = await Promise.all(Array.from({ length: 24 }, async () => {
    const tunnel = await client.dial(source.address);
    await tunnel.writable.getWriter().write(request);
    return tunnel;
  }));
  await until("all are full", () => stalled.every((tunnel) => queued(tunnel).toCaller >= 256 * 1024));
  await using neighbour = await client.dial(source.address);
  await neighbour.writable.getWriter().write(request);
  assert.equal((await readAll(neighbour)).length, 4_000_000);
  for (const tunnel of stalled) assert.equal((await readAll(tunnel)).length, 4_000_000);
});

bothTest("a close does not wait for a destination that first wants its own bytes taken, over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using echo = await echoDestination();
  const tunnel = await client.dial(echo.address);
  const writer = tunnel.writable.getWriter();
  // Far more than the way there and back holds: the echo stops reading, since nobody takes what it sends.
  for (let i = 0; i < 40; i++) writer.write(new Uint8Array(1024 * 1024)).catch(() => {});
  await until("the way back is full", () => queued(tunnel).toCaller >= 256 * 1024);
  await tunnel.close();
  await tunnel.closed;
});

bothTest("20 MiB written and then closed arrive whole over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using sink = await collectDestination();
  const size = 20 * 1024 * 1024;
  const tunnel = await client.dial(sink.address);
  const writer = tunnel.writable.getWriter();
  await writer.write(new TextEncoder().encode(`${size}\n`));
  const bytes = patternBytes(size);
  for (let at = 0; at < size; at += 1024 * 1024) {
    await writer.write(bytes.subarray(at, at + 1024 * 1024));
    assert.equal(queued(tunnel).toDestination, 0);
  }
  await tunnel.close();
  await tunnel.closed;
  await until("the destination has seen the end", () => sink.collected.length === 1);
  assert.deepEqual(sink.collected, [{ bytes: size, intact: true }]);
});

bothTest("bytes whose write was not awaited are sent before the end over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using sink = await collectDestination();
  const size = 3 * 1024 * 1024;
  const tunnel = await client.dial(sink.address);
  const writer = tunnel.writable.getWriter();
  void writer.write(new TextEncoder().encode(`${size}\n`));
  for (let at = 0; at < size; at += 64 * 1024) void writer.write(patternBytes(size).subarray(at, at + 64 * 1024));
  await tunnel.close();
  await until("the destination has seen the end", () => sink.collected.length === 1);
  assert.deepEqual(sink.collected, [{ bytes: size, intact: true }]);
});

bothTest("a caller may reuse its buffer once a write is done over MODE", async (proxy) => {
  await using client = await proxy.connect();
  await using echo = await echoDestination();
  await using tunnel = await client.dial(echo.address);
  const writer = tunnel.writable.getWriter();
  const buffer = new Uint8Array(100_000);
  const got = (async () => {
    const parts: number[] = [];
    let bytes = 0;
    for await (const chunk of tunnel.readable) {
      bytes += chunk.length;
      parts.push(...new Set(chunk));
      if (bytes === 20 * buffer.length) break;
    }
    return new Set(parts);
  })();
  for (let i = 1; i <= 20; i++) {
    await writer.write(buffer.fill(i));
    buffer.fill(255);
  }
  assert.deepEqual([...await got], Array.from({ length: 20 }, (_, i) => i + 1));
});

bothTest(
  "[client 1.7-27] a refused dial over MODE says so in the agent's words, and the client goes on",
  async (proxy) => {
    await using client = await proxy.connect();
    await using echo = await echoDestination();
    const address = await refusingAddress();
    await assert.rejects(client.dial(address), {
      name: "ProxyError",
      code: "endpoint",
      message: `dial tcp ${address}: connect: connection refused`,
    });
    await using tunnel = await client.dial(echo.address);
    assert.equal(tunnel.address, echo.address);
  },
);

bothTest("[client 1.7-15] 50 dials at once over MODE are apart from each other", async (proxy) => {
  await using client = await proxy.connect();
  await using echo = await echoDestination();
  await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    await using tunnel = await client.dial(echo.address);
    await tunnel.writable.getWriter().write(new TextEncoder().encode(`tunnel ${i}`));
    const { value } = await tunnel.readable.getReader().read();
    assert.equal(new TextDecoder().decode(value), `tunnel ${i}`);
  }));
  assert.equal(client.gauges.open, 0);
  assert.equal(client.gauges.dialing, 0);
});

bothTest(
  "[client 1.7-8] [client 1.7-21] a dial after close fails as tunnel-closed over MODE, and closing twice is one close",
  async (proxy) => {
    const client = await proxy.connect();
    await Promise.all([client.close(), client.close()]);
    await client.closed;
    await assert.rejects(client.dial("localhost:1"), { code: "tunnel-closed" });
  },
);

bothTest(
  "[client 1.7-23] [client 1.7-28] closing the client over MODE ends its open tunnels in order and leaves nothing",
  async (proxy) => {
    await using echo = await echoDestination();
    const client = await proxy.connect();
    const tunnel = await client.dial(echo.address);
    await tunnel.writable.getWriter().write(new TextEncoder().encode("x"));
    await client.close();
    await tunnel.closed;
    await until("the destination is left alone", () => echo.open === 0);
  },
);

bothTest("aborting the writable over MODE drops the tunnel and says why", async (proxy) => {
  await using echo = await echoDestination();
  await using client = await proxy.connect();
  const tunnel = await client.dial(echo.address);
  const reader = tunnel.readable.getReader();
  await tunnel.writable.abort(new Error("enough"));
  await assert.rejects(reader.read(), { code: "cancelled" });
  await assert.rejects(
    tunnel.closed,
    (error: ProxyError) => error.cause instanceof Error && error.cause.message === "enough",
  );
});

bothTest("a chunk that is no Uint8Array fails the write over MODE", async (proxy) => {
  await using echo = await echoDestination();
  await using client = await proxy.connect();
  const tunnel = await client.dial(echo.address);
  const writer = (tunnel.writable as WritableStream<unknown>).getWriter();
  await assert.rejects(writer.write("text"), TypeError);
  await assert.rejects(tunnel.closed, { code: "cancelled" });
});

bothTest("a read into the caller's own buffer ends with the tunnel over MODE", async (proxy) => {
  await using source = await sourceDestination();
  await using client = await proxy.connect();
  await using tunnel = await client.dial(source.address);
  await tunnel.writable.getWriter().write(new TextEncoder().encode("5\n"));
  const reader = tunnel.readable.getReader({ mode: "byob" });
  let bytes = 0;
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(16));
    if (done) break;
    bytes += value.length;
  }
  assert.equal(bytes, 5);
});

bothTest("an address with blanks or line ends is refused before anything is sent over MODE", async (proxy) => {
  await using client = await proxy.connect();
  for (const address of ["", "host:1\r\nX: y", "host :1", "host:1\0"]) {
    await assert.rejects(client.dial(address), TypeError);
  }
});

/** Bytes that a tunnel holds: an internal of the class that implements it. */
function queued(tunnel: Tunnel): { toDestination: number; toCaller: number } {
  const { queuedBytes } = tunnel as unknown as { queuedBytes: { toDestination: number; toCaller: number } };
  return queuedBytes;
}
