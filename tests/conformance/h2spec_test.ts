import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { H2Stream } from "../../src/h2/stream.ts";
import { H2Socket } from "../../src/net/http2/h2_socket.ts";
import { goTest } from "./go_peers.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { failsAlways, judge, judgesServer, knownCases, own, patienceSeconds } from "./h2spec.ts";

goTest(
  "h2spec finds no fault in the frontend's and the agents' port, --http2=own, but what is listed",
  (t) => judgesServer(t, "own", own),
);

/** Streams at once, few enough to be exceeded in a moment; each is open for some time behind its request's end. */
const maxStreams = 50;
const answerAfterMs = 30;

/** A listener of our own HTTP/2 that takes a whole request and then answers with a body, as h2spec expects of a server. */
async function answeringServer(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const body = new TextEncoder().encode("an answer with a body");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const handler = {
      onRequest(stream: H2Stream) {
        let timer: ReturnType<typeof setTimeout> | undefined;
        stream.start({
          onData: () => {},
          onDrain: () => {},
          onEnd: () => {
            timer = setTimeout(() => {
              stream.respond([[":status", "200"]], false);
              stream.write(body);
              stream.end();
            }, answerAfterMs);
          },
          onClose: () => clearTimeout(timer),
        });
      },
      onClose: () => {},
    };
    new H2Socket(socket, handler, {
      streamWindowBytes: 65_535,
      connectionWindowBytes: 1024 * 1024,
      maxConcurrentStreams: maxStreams,
      now: systemClock.now,
    }, systemClock);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

goTest(
  "h2spec finds no fault in our HTTP/2 under a server that answers whole requests, in no case that it knows",
  async () => {
    await using server = await answeringServer();
    const cases = await judge(server.port, patienceSeconds);
    assert.equal(cases.length, knownCases);
    assert.deepEqual(cases.filter(({ verdict }) => verdict === "skipped"), []);
    for (const found of cases.filter(({ verdict }) => verdict !== "passed")) {
      const failure = await failsAlways(server.port, found);
      assert.equal(failure, undefined, `${found.id} ${found.title}: ${failure?.detail}`);
    }
  },
);
