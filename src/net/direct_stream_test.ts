import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { leakTest } from "../../tests/support/leak_free.ts";
import { until } from "../../tests/support/until.ts";
import type { PacketStreamHandler } from "../tunnel/packet_stream.ts";
import { DirectStream } from "./direct_stream.ts";

const kib = 1024;

/** Two ends of a link over a socket within this machine, that have said hello. */
async function pair() {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [far] = await accepted;
  const ends = [new DirectStream(near, undefined), new DirectStream(far, undefined)] as const;
  for (const end of ends) end.sendHello({});
  for (const end of ends) await end.hello;
  return {
    near: ends[0],
    far: ends[1],
    async [Symbol.asyncDispose]() {
      const gone = [near, far].filter((socket) => !socket.closed).map((socket) => once(socket, "close"));
      for (const end of ends) end.destroy(new Error("test is over"));
      await Promise.all(gone);
      server.close();
      await once(server, "close");
    },
  };
}

class Handler implements PacketStreamHandler {
  received = 0;
  drains = 0;
  onData(_id: unknown, payload: Uint8Array): void {
    this.received += payload.length;
  }
  onPacket(): void {}
  onDrain(): void {
    this.drains++;
  }
  onEnd(): void {}
  onClose(): void {}
}

leakTest(
  "data waits once half a megabyte is under way to a peer that does not answer, and goes on when it does",
  async () => {
    await using link = await pair();
    const sender = new Handler();
    const receiver = new Handler();
    link.near.start(sender);
    link.far.start(receiver);
    link.far.pause();
    const payload = new Uint8Array(32 * kib);
    let sent = 0;
    // The kernels would take megabytes: only the bound on what is under way ends this.
    for (let open = true; open && sent < 64 * 1024 * kib;) {
      open = link.near.sendData(1, payload);
      sent += payload.length;
      // A full socket that is emptied again is no end.
      if (!open && sent < 512 * kib) {
        const before = sender.drains;
        await until("the socket is emptied", () => sender.drains > before);
        open = true;
      }
    }
    assert.equal(sent, 512 * kib);
    assert.equal(receiver.received, 0);
    const before = sender.drains;
    link.far.resume();
    await until("the peer has read and answered", () => sender.drains > before && receiver.received === sent);
    assert.equal(link.near.sendData(1, payload), true);
    await until("the rest arrives", () => receiver.received === sent + payload.length);
  },
);

leakTest("a ping of the peer's is answered while data waits", async () => {
  await using link = await pair();
  const sender = new Handler();
  const receiver = new Handler();
  link.near.start(sender);
  link.far.start(receiver);
  for (let sent = 0; sent < 1024 * kib; sent += 32 * kib) link.near.sendData(1, new Uint8Array(32 * kib));
  let answered = 0;
  link.far.ping(() => answered++);
  link.near.ping(() => answered++);
  await until("both are answered", () => answered === 2);
});
