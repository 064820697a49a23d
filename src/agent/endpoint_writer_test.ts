import assert from "node:assert/strict";
import { FakeSocket } from "../../tests/support/memory/link_world.ts";
import { EndpointWriter } from "./endpoint_writer.ts";

function stuckWriter(): { socket: FakeSocket; writer: EndpointWriter; taken: () => number } {
  const socket = new FakeSocket();
  socket.stuck = true;
  let taken = 0;
  const writer = new EndpointWriter(socket, (bytes) => {
    taken += bytes;
  });
  return { socket, writer, taken: () => taken };
}

Deno.test("a destination that takes everything is written to at once, without a copy", () => {
  const socket = new FakeSocket();
  let taken = 0;
  const writer = new EndpointWriter(socket, (bytes) => {
    taken += bytes;
  });
  const payload = new Uint8Array(10);
  writer.write(payload);
  assert.equal(socket.written[0], payload);
  assert.equal(taken, 10);
  assert.equal(writer.heldBytes, 0);
});

Deno.test("bytes for a destination that is full wait here, in order, and go on piece by piece as it takes them", () => {
  const { socket, writer, taken } = stuckWriter();
  for (let piece = 0; piece < 5; piece++) writer.write(new Uint8Array(10_000).fill(piece));
  assert.equal(socket.writtenBytes, 10_000);
  assert.equal(writer.heldBytes, 50_000);
  assert.equal(taken(), 0);
  socket.handler = undefined;
  writer.onDrain();
  assert.equal(taken(), 10_000);
  assert.equal(socket.writtenBytes, 20_000);
  socket.stuck = false;
  writer.onDrain();
  assert.equal(taken(), 50_000);
  assert.equal(writer.heldBytes, 0);
  assert.deepEqual(socket.written.map((bytes) => bytes[0]), [0, 1, 2, 3, 4]);
});

Deno.test("small pieces are gathered while they wait, so that a million bytes one by one cost a million bytes", () => {
  const { socket, writer } = stuckWriter();
  const all = new Uint8Array(100_000);
  for (let at = 0; at < all.length; at++) all[at] = at % 251;
  for (let at = 0; at < all.length; at++) writer.write(all.subarray(at, at + 1));
  assert.equal(writer.heldBytes, all.length);
  socket.stuck = false;
  writer.onDrain();
  assert.ok(socket.written.length < 20, `${socket.written.length} writes`);
  const joined = new Uint8Array(socket.written.flatMap((bytes) => [...bytes]));
  assert.deepEqual(joined, all);
});

Deno.test("the end of a direction waits for the bytes before it", () => {
  const { socket, writer } = stuckWriter();
  writer.write(new Uint8Array(5));
  writer.write(new Uint8Array(5));
  writer.end();
  assert.equal(socket.ended, false);
  writer.write(new Uint8Array(5));
  writer.onDrain();
  assert.equal(socket.ended, true);
  assert.equal(socket.writtenBytes, 10);
});
