/** What a peer may say when, of a direct link: every state of it times everything that it can send. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { StreamEnd } from "../../streams/packet_stream.ts";
import { joined } from "../../wire/bytes.ts";
import { helloFrame, linkFrame, linkFrameKinds, statusFrame } from "../../wire/link_frame.ts";
import { closeResponse, framePacket } from "../../wire/packet.ts";
import { DirectStream } from "./direct_stream.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const say = {
  hello: helloFrame({}),
  status: statusFrame({ code: 0, message: "" }),
  ping: linkFrame(linkFrameKinds.ping, new Uint8Array(8)),
  packet: framePacket(closeResponse(1)),
} as const;

type Word = keyof typeof say;

const states: Readonly<Record<string, readonly Word[]>> = {
  unheard: [],
  greeted: ["hello"],
  refused: ["status"],
  ended: ["hello", "status"],
};

const lost = /^\[unavailable\] connection was lost$/;
const twice = /link says hello twice/;
const behind = /link goes on behind its status/;

/** How the link has ended when the peer has then closed it; "ended": in order. */
const expected: Readonly<Record<string, Readonly<Record<Word, RegExp | "ended">>>> = {
  unheard: { hello: lost, status: "ended", ping: /link begins with a frame/, packet: /link begins with a packet/ },
  greeted: { hello: twice, status: "ended", ping: lost, packet: lost },
  refused: { hello: behind, status: behind, ping: behind, packet: /link begins with a packet/ },
  ended: { hello: behind, status: behind, ping: behind, packet: "ended" },
};

async function world() {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const peer = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {}).resume();
  const [socket] = await accepted;
  return {
    peer,
    socket,
    stream: new DirectStream(socket, undefined, systemClock),
    async [Symbol.asyncDispose]() {
      peer.destroy();
      socket.destroy();
      await until("both are gone", () => peer.closed && socket.closed);
      server.close();
      await once(server, "close");
    },
  };
}

for (const [state, words] of Object.entries(states)) {
  for (const [word, outcome] of Object.entries(expected[state] ?? {})) {
    const how = outcome === "ended" ? "ends in order" : outcome === lost ? "is lost with its connection" : "is refused";
    leakTest(`a peer that is ${state} and says ${word}: its link ${how}`, async () => {
      await using at = await world();
      const said = [...words, word as Word].map((each) => say[each]).reduce<Uint8Array>(joined, new Uint8Array());
      at.peer.write(said);
      await until("it was read", () => at.socket.bytesRead === said.length);
      let end: StreamEnd | undefined;
      at.stream.start({
        onData: () => {},
        onPacket: () => {},
        onDrain: () => {},
        onEnd: () => at.stream.end(),
        onClose: (how) => {
          assert.equal(end, undefined, "it closes once");
          end = how;
        },
      });
      at.peer.end();
      await until("it is closed", () => end !== undefined);
      if (outcome === "ended") assert.deepEqual(end, { kind: "ended" });
      else assert.match(end?.kind === "failed" ? end.error.message : "ended", outcome);
      // Nothing that comes later changes it: `onClose` fails the test where it is called again.
      const first = end;
      for (
        const late of [() => at.stream.end(), () => at.stream.destroy(new Error("late")), () => at.stream.resume()]
      ) {
        late();
      }
      assert.equal(at.stream.sendPacket(closeResponse(1)), true);
      assert.equal(at.stream.sendData(1, new Uint8Array(1)), true);
      await until("the socket is closed too", () => at.socket.closed);
      assert.equal(end, first);
    });
  }
}
