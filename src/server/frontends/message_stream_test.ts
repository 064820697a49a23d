import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { closeResponse, dataPacket, type Packet } from "../../wire/packet.ts";
import { MessageStream } from "./message_stream.ts";
import type { PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";

const kib = 1024;

class Handler implements PacketStreamHandler {
  readonly heard: string[] = [];
  end: StreamEnd | undefined;

  onData(id: number): void {
    this.heard.push(`data ${id}`);
  }

  onPacket(packet: Packet): void {
    this.heard.push(packet.payload.case ?? "nothing");
  }

  onDrain(): void {
    this.heard.push("drain");
  }

  onEnd(): void {
    this.heard.push("end");
  }

  onClose(end: StreamEnd): void {
    assert.equal(this.end, undefined, "it closes once");
    this.end = end;
    this.heard.push("close");
  }
}

/** A peer's packets, as a framework hands them over: one when it is asked, an end or a failure when it is told. */
function peer() {
  const { readable, writable } = new TransformStream<Packet, Packet>();
  const writer = writable.getWriter();
  return { incoming: readable, writer };
}

function started() {
  const { incoming, writer } = peer();
  const stream = new MessageStream(incoming);
  const handler = new Handler();
  stream.start(handler);
  return { stream, handler, writer, outgoing: stream.outgoing() };
}

/** Sends until the stream is gone. */
function flood({ stream, handler }: ReturnType<typeof started>, most: number, error = ""): number {
  let sent = 0;
  while (handler.end === undefined && sent < most) stream.sendPacket(closeResponse(++sent, error));
  return sent;
}

function exhausted(end: StreamEnd | undefined): void {
  assert.ok(end?.kind === "failed");
  assert.equal(ConnectError.from(end.error).code, Code.ResourceExhausted);
  assert.match(end.error.message, /makes this side answer and does not read/);
}

leakTest("a peer that makes this side answer and does not read loses its stream", async () => {
  const { stream, handler, outgoing, writer } = started();
  const sent = flood({ stream, handler, outgoing, writer }, 1_000_000);
  assert.ok(sent > 10_000 && sent < 100_000, `${sent} answers`);
  exhausted(handler.end);
  // What had waited is dropped, and the framework tells the peer why.
  await assert.rejects(outgoing.next(), /does not read/);
  assert.equal(stream.sendPacket(closeResponse(1)), true);
});

leakTest("long answers that a peer does not read count by their length", () => {
  const world = started();
  const sent = flood(world, 100_000, "x".repeat(4 * kib));
  assert.ok(sent < 10_000, `${sent} answers`);
  exhausted(world.handler.end);
});

leakTest("answers beside data that a peer does not read count together", () => {
  const world = started();
  for (let at = 0; at < 15; at++) world.stream.sendData(1, new Uint8Array(1024 * kib));
  assert.equal(world.handler.end, undefined);
  const sent = flood(world, 100_000);
  assert.ok(sent < 10_000, `${sent} answers`);
  exhausted(world.handler.end);
});

leakTest("a peer that reads gets many answers in their order, and senders hear when they may go on", async () => {
  const { stream, handler, outgoing } = started();
  const count = 20_000;
  let heldBack = 0;
  for (let id = 1; id <= count; id++) if (!stream.sendPacket(closeResponse(id))) heldBack++;
  assert.ok(heldBack > 0 && heldBack < count, String(heldBack));
  stream.sendData(7, new Uint8Array(3));
  for (let id = 1; id <= count; id++) {
    const { value } = await outgoing.next();
    if (value?.payload.case !== "closeResponse") assert.fail(`answer ${id}`);
    assert.equal(value.payload.value.connectID, BigInt(id));
  }
  assert.equal((await outgoing.next()).value?.payload.case, "data");
  assert.deepEqual(handler.heard, []);
  const next = outgoing.next();
  await until("senders may go on", () => handler.heard.join() === "drain");
  assert.equal(stream.sendData(7, new Uint8Array(3)), true);
  assert.equal((await next).value?.payload.case, "data");
  stream.end();
  assert.equal((await outgoing.next()).done, true);
  assert.deepEqual(handler.heard, ["drain", "close"]);
});

const ends: Readonly<Record<string, (world: ReturnType<typeof started>) => unknown>> = {
  "ended": ({ stream }) => stream.end(),
  "ended with an error": ({ stream }) => stream.end(new Error("told")),
  "destroyed": ({ stream }) => stream.destroy(new Error("dropped")),
  "given up by the framework": ({ outgoing }) => outgoing.return?.(),
  "failed by the peer": ({ writer }) => writer.abort(new Error("peer failed")),
  "ended by the peer": ({ writer }) => writer.close(),
};

for (const [first, end] of Object.entries(ends)) {
  for (const [second, again] of Object.entries(ends)) {
    Deno.test(`a stream that was ${first} and is then ${second} closes once, and takes nothing any more`, async () => {
      const world = started();
      // The framework reads, and waits.
      const reading = world.outgoing.next().catch(() => {});
      for (const step of [end, again]) {
        void Promise.resolve(step(world)).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve));
      }
      if (world.handler.end === undefined) world.stream.destroy(new Error("last"));
      await reading;
      await until("it is closed", () => world.handler.end !== undefined);
      const heard = world.handler.heard.length;
      assert.equal(world.stream.sendPacket(closeResponse(1)), true);
      assert.equal(world.stream.sendData(1, new Uint8Array(1)), true);
      world.stream.end();
      world.stream.destroy(new Error("late"));
      world.stream.pause();
      world.stream.resume();
      await new Promise((resolve) => setTimeout(resolve));
      assert.equal(world.handler.heard.length, heard);
      assert.equal((await world.outgoing.next().catch(() => ({ done: true }))).done, true);
    });
  }
}

leakTest("a paused stream hands over one packet more and no other, until it is resumed", async () => {
  const { stream, handler, writer, outgoing } = started();
  void writer.write(dataPacket(1, new Uint8Array(1)));
  await until("the first came", () => handler.heard.length === 1);
  stream.pause();
  const rest = [2, 3].map((id) => writer.write(dataPacket(id, new Uint8Array(1))));
  await until("one more came", () => handler.heard.length === 2);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(handler.heard, ["data 1", "data 2"]);
  stream.resume();
  await Promise.all(rest);
  await until("all came", () => handler.heard.length === 3);
  await writer.close();
  await until("its end came", () => handler.heard.at(-1) === "end");
  stream.end();
  assert.equal((await outgoing.next()).done, true);
});
