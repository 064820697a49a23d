import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from "node:tls";
import { floodedServer } from "../../tests/support/floods/flooded_server.ts";
import { tellFigure } from "../../tests/support/assert/figures.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { testCertificates } from "../../tests/support/in_process/test_certificates.ts";
import { until } from "../../tests/support/assert/until.ts";
import { readInTurns, transportOf } from "./fair_reading.ts";
import { withReadBackpressure } from "./tls/tls_backpressure.ts";

/** How long the neighbour may wait for its answers on a busy machine, in milliseconds. */
const patienceMs = 90_000;

for (
  const [workMs, strangers, interval, answers] of [
    [4, 1, 61, 3],
    [4, 1, 8, 10],
    [1, 100, 61, 3],
    [1, 100, 8, 10],
  ] as const
) {
  leakTest(
    `${strangers} strangers whose bytes come faster than they are handled leave a neighbour its turns, at an interval of ${interval}`,
    async (t) => {
      // With the bare runtime there are none, however long it lasts.
      const figures = await floodedServer("turns", workMs, strangers, interval, answers, patienceMs);
      const { tookMs, worstMs } = figures;
      await tellFigure(t, `${answers} round trips in ${tookMs.toFixed(0)} ms, ${worstMs.toFixed(0)} ms at worst`);
      assert.equal(figures.answers, answers, JSON.stringify(figures));
    },
  );
}

for (const secure of [false, true]) {
  leakTest(
    `a socket whose owner has paused it stays paused after its rest, and its end comes behind its bytes, ${
      secure ? "over TLS" : "in the clear"
    }`,
    async () => {
      const { ca, server: pair } = await testCertificates();
      const seen = { bytes: 0, ended: false };
      const paused = Promise.withResolvers<Socket>();
      const onSocket = (socket: Socket) => {
        if (socket instanceof TLSSocket) withReadBackpressure(socket);
        socket.on("error", () => {});
        socket.on("end", () => {
          seen.ended = true;
          socket.end();
        });
        readInTurns(socket, (bytes) => {
          if (seen.bytes === 0) {
            // More than a share: the socket rests from here on, and its owner pauses it in the same turn.
            const end = performance.now() + 20;
            while (performance.now() < end);
            socket.pause();
            paused.resolve(socket);
          }
          seen.bytes += bytes.length;
        });
      };
      const options = { allowHalfOpen: true };
      const server = secure
        ? createTlsServer({ ...options, cert: pair.certPem, key: pair.keyPem }, onSocket)
        : createServer(options, onSocket);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
      const { port } = server.address() as AddressInfo;
      const client = secure
        ? connectTls({ host: "127.0.0.1", port, ca: ca.certPem })
        : connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      const total = 16 << 20;
      client.on("error", () => {});
      client.end(new Uint8Array(total));
      const socket = await paused.promise;
      const transport = transportOf(socket);
      assert.ok(transport !== undefined, "the runtime's private fields are where they were");
      // Timers are later than the turn in which a rest ends.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = seen.bytes;
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(seen.bytes, before, "nothing comes while its owner does not want it");
      assert.ok(before < total);
      socket.resume();
      await until("its end has come", () => seen.ended);
      assert.equal(seen.bytes, total);
      client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  );
}

leakTest("the runtime alone still lets one socket keep all others from being read", async (t) => {
  const figures = await floodedServer("runtime", 10, 1, 61, 1_000_000, 3_000);
  await tellFigure(t, `${figures.answers} round trips in 3 s, ${figures.worstMs.toFixed(0)} ms at worst`);
  assert.ok(
    figures.worstMs > 1_500,
    `the runtime is fair now, so that fair_reading.ts can go: ${JSON.stringify(figures)}`,
  );
});

Deno.test("a socket that was stopped before its first rest is not started behind it", async () => {
  const calls: string[] = [];
  const handle = {
    reading: false,
    readStart: () => calls.push("start"),
    readStop: () => calls.push("stop"),
  };
  const socket = { _handle: handle, destroyed: false, on: () => {} } as unknown as Socket;
  const reader = readInTurns(socket, () => {});
  const rest = async () => {
    reader.spend(1_000);
    const turn = Promise.withResolvers<void>();
    reader.later(turn.resolve);
    await turn.promise;
  };
  await rest();
  assert.deepEqual(calls, ["stop"]);
  // Its owner lets it go on, and it rests again.
  handle.readStart();
  await rest();
  assert.deepEqual(calls, ["stop", "start", "stop", "start"]);
});
