import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import type { PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import { closeResponse, type Packet, PacketType } from "../../wire/packet.ts";
import { helloFrame, statusFrame } from "../../wire/link_frame.ts";
import { PacketCounts } from "../../wire/packet_counts.ts";
import { DirectStream } from "./direct_stream.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const kib = 1024;

/** Two ends of a link over a socket within this machine, that have said hello. */
async function pair(counts?: StreamCounts) {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [far] = await accepted;
  const ends = [new DirectStream(near, undefined, systemClock), new DirectStream(far, counts, systemClock)] as const;
  for (const end of ends) end.sendHello({});
  for (const end of ends) await end.hello;
  return {
    near: ends[0],
    far: ends[1],
    /** Bytes that the near end's socket has not handed to the kernel. */
    unsent: () => near.writableLength,
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
  end: StreamEnd | undefined;
  onData(_id: unknown, payload: Uint8Array): void {
    this.received += payload.length;
  }
  onPacket(): void {}
  onDrain(): void {
    this.drains++;
  }
  onEnd(): void {}
  onClose(end: StreamEnd): void {
    this.end = end;
  }
}

/** Starts both ends. */
function started({ near, far }: { readonly near: DirectStream; readonly far: DirectStream }) {
  const [sender, receiver] = [new Handler(), new Handler()];
  near.start(sender);
  far.start(receiver);
  return { sender, receiver };
}

leakTest(
  "data waits once an eighth of a megabyte is in flight to a peer that does not answer, and goes on when it does",
  async () => {
    await using link = await pair();
    const { sender, receiver } = started(link);
    link.far.pause();
    let sent = 0;
    const send = (bytes: number) => {
      sent += bytes;
      return link.near.sendData(1, new Uint8Array(bytes));
    };
    link.near.interactive(250);
    // The kernels would take megabytes: only the bound on what is in flight ends this.
    for (let blocked = false; !blocked && sent < 64 * 1024 * kib;) {
      const before = sender.drains;
      if (send(32 * kib)) continue;
      await until("the kernel has taken what was sent", () => link.unsent() === 0);
      blocked = sender.drains === before;
    }
    assert.equal(sent, 128 * kib);
    assert.equal(receiver.received, 0);
    const before = sender.drains;
    link.far.resume();
    await until("the peer has read and answered", () => sender.drains > before && receiver.received === sent);
    assert.equal(send(kib), true);
    await until("the rest arrives", () => receiver.received === sent);
  },
);

leakTest(
  "a tunnel that becomes interactive while the most that bulk may have is in flight holds nothing up for ever",
  async () => {
    await using link = await pair();
    const { sender, receiver } = started(link);
    // The link's distance is known.
    await new Promise<void>((resolve) => link.near.ping(resolve));
    link.far.pause();
    // A size of which neither a mark's share nor the bound is a multiple: many bytes follow the last mark.
    const bytes = 63 * kib;
    let sent = 0;
    let taken = true;
    while (sent < 4 * 1024 * kib) {
      sent += bytes;
      taken = link.near.sendData(1, new Uint8Array(bytes));
    }
    assert.equal(taken, false);
    const drains = sender.drains;
    link.near.interactive(250);
    link.far.resume();
    await until("data may be sent again", () => sender.drains > drains);
    await until("all has arrived", () => receiver.received === sent);
  },
);

leakTest("payloads of a tunnel that follow each other are one packet, up to a bound, and order is kept", async () => {
  const counts = { received: new PacketCounts(), sent: new PacketCounts() };
  await using link = await pair(counts);
  const seen: string[] = [];
  link.far.start(new Handler());
  link.near.start(
    Object.assign(new Handler(), {
      onData: (id: unknown, payload: Uint8Array) => seen.push(...[...payload].map((byte) => `${id}: ${byte}`)),
      onPacket: () => seen.push("close"),
    }),
  );
  const send = (id: number, ...bytes: number[]) => link.far.sendData(id, Uint8Array.from(bytes));
  const packets = () => counts.sent.of(PacketType.DATA);
  send(1, 1);
  send(1, 2, 3);
  send(2, 4);
  link.far.sendPacket(closeResponse(2, ""));
  send(1, 5);
  await until("all has arrived", () => seen.length === 6);
  assert.deepEqual(seen, ["1: 1", "1: 2", "1: 3", "2: 4", "close", "1: 5"]);
  assert.equal(packets(), 3);
  send(1, 6);
  await until("a packet does not wait for more", () => seen.length === 7);
  assert.equal(packets(), 4);
  // What is sent before an end leaves before it.
  send(1, 7);
  link.far.end();
  await until("the last has arrived", () => seen.at(-1) === "1: 7");
});

leakTest("a packet of gathered payloads is no longer than any other", async () => {
  const counts = { received: new PacketCounts(), sent: new PacketCounts() };
  await using link = await pair(counts);
  const receiver = new Handler();
  link.far.start(new Handler());
  link.near.start(receiver);
  const bytes = 20 * kib;
  for (let i = 0; i < 7; i++) link.far.sendData(1, new Uint8Array(bytes));
  await until("all has arrived", () => receiver.received === 7 * bytes);
  assert.equal(counts.sent.of(PacketType.DATA), 3, "three payloads, three, and one");
});

leakTest("a ping of the peer's is answered while data waits", async () => {
  await using link = await pair();
  started(link);
  for (let sent = 0; sent < 1024 * kib; sent += 32 * kib) link.near.sendData(1, new Uint8Array(32 * kib));
  let answered = 0;
  link.far.ping(() => answered++);
  link.near.ping(() => answered++);
  await until("both are answered", () => answered === 2);
});

leakTest("nothing is kept of what a peer sends that was refused", async () => {
  const counts = { received: new PacketCounts(), sent: new PacketCounts() };
  await using link = await pair(counts);
  link.near.start(new Handler());
  link.far.end(new Error("a stranger"));
  link.far.resume();
  const bytes = 256 * kib;
  for (let sent = 0; sent < bytes; sent += 32 * kib) link.near.sendData(1, new Uint8Array(32 * kib));
  await until("all of it was read", () => counts.received.dataBytes === bytes);
  const late = new Handler();
  link.far.start(late);
  assert.equal(late.received, 0);
});

leakTest(
  "a peer that makes this side answer and does not read is dropped, not waited for without a bound",
  async () => {
    await using link = await pair();
    const near = new Handler();
    link.near.start(near);
    const answer = closeResponse(1, "x".repeat(4000));
    // The far end was not started, so that it does not read.
    for (let sent = 0; sent < 32 * 1024 * kib && near.end === undefined; sent += 4000) {
      link.near.sendPacket(answer);
      if (sent % 400_000 === 0) await Promise.resolve();
    }
    await until("the link is gone", () => near.end !== undefined);
    assert.match(near.end?.kind === "failed" ? near.end.error.message : "", /does not read/);
  },
);

leakTest(
  "small packets for a peer that does not read cost little more than their bytes, and arrive in order",
  async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const memory = () => {
      collect();
      const { heapUsed, external } = Deno.memoryUsage();
      return heapUsed + external;
    };
    await using link = await pair();
    const heard: string[] = [];
    link.near.start(new Handler());
    link.far.start(
      Object.assign(new Handler(), {
        onPacket: (packet: Packet) =>
          heard.push(`packet ${packet.payload.case === "closeResponse" && packet.payload.value.connectID}`),
        onData: (id: unknown) => heard.push(`data ${id}`),
      }),
    );
    link.far.pause();
    const before = memory();
    const count = 250_000;
    for (let at = 1; at <= count; at++) {
      link.near.sendPacket(closeResponse(at, "x".repeat(50)));
      // The kernels take some megabytes.
      if (at % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
      if (at % 50_000 === 0) link.near.sendData(at, Uint8Array.of(1));
    }
    const grown = memory() - before;
    assert.ok(grown < 24 * 1024 * kib, `${grown} bytes for ${count} packets`);
    link.far.resume();
    await until("all have come", () => heard.length === count + count / 50_000);
    const expected: string[] = [];
    for (let at = 1; at <= count; at++) {
      expected.push(`packet ${at}`);
      if (at % 50_000 === 0) expected.push(`data ${at}`);
    }
    assert.equal(heard.findIndex((what, at) => what !== expected[at]), -1);
  },
);

for (const [what, greets] of [["before a hello", false], ["behind a hello", true]] as const) {
  leakTest(`a peer that says its status again and again ${what} is dropped`, async () => {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const peer = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
    const [socket] = await accepted;
    const stream = new DirectStream(socket, undefined, systemClock);
    const handler = new Handler();
    stream.start(handler);
    let closed = false;
    peer.on("error", () => {}).on("close", () => closed = true).resume();
    if (greets) peer.write(helloFrame({}));
    const statuses = new Uint8Array(64 * kib);
    const status = statusFrame({ code: 0, message: "" });
    for (let at = 0; at + status.length <= statuses.length; at += status.length) statuses.set(status, at);
    let written = 0;
    await until("it is dropped", () => {
      if (!closed && !peer.writableNeedDrain) {
        peer.write(statuses);
        written += statuses.length;
      }
      return closed;
    });
    await until("its owner is told", () => handler.end !== undefined);
    assert.ok(written < 64 * 1024 * kib, `${written} bytes`);
    server.close();
    await once(server, "close");
  });
}
