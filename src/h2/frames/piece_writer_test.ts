import assert from "node:assert/strict";
import { PieceWriter } from "./piece_writer.ts";

function bytesOf(pieces: readonly Uint8Array[]): string {
  return pieces.map((piece) => piece.toHex()).join("");
}

Deno.test("small things lie together, large ones stay the views that they are", () => {
  const writer = new PieceWriter();
  writer.begin();
  writer.room(2).set([1, 2]);
  writer.add(Uint8Array.of(3));
  const large = new Uint8Array(10_000);
  writer.add(large);
  writer.room(1).set([4]);
  assert.equal(writer.bytes, 10_004);
  const pieces = writer.finish();
  assert.deepEqual(pieces.map((piece) => piece.length), [3, 10_000, 1]);
  assert.equal(pieces[1], large);
  assert.equal(pieces[0]?.toHex(), "010203");
  assert.equal(writer.bytes, 0);
  assert.deepEqual(writer.finish(), []);
});

Deno.test("pieces are never written again, however much follows from however many writers", () => {
  const writers = [new PieceWriter(), new PieceWriter()];
  const kept: { piece: Uint8Array; was: string }[] = [];
  for (let i = 0; i < 400; i++) {
    const writer = writers[i % 2];
    assert.ok(writer !== undefined);
    writer.begin();
    for (let j = 0; j < 20; j++) writer.room(50).fill(i);
    writer.add(new Uint8Array(30).fill(i + 1));
    for (const piece of writer.finish()) kept.push({ piece, was: piece.toHex() });
  }
  for (const { piece, was } of kept) assert.equal(piece.toHex(), was);
});

Deno.test("a write that meets the slab's end goes on in the next one", () => {
  const writer = new PieceWriter();
  writer.begin();
  let expected = "";
  for (let i = 0; i < 100; i++) {
    writer.add(new Uint8Array(1500).fill(i));
    expected += new Uint8Array(1500).fill(i).toHex();
  }
  assert.equal(bytesOf(writer.finish()), expected);
});
