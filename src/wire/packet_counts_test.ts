import assert from "node:assert/strict";
import { PacketType } from "./packet.ts";
import { PacketCounts, unknownPacketType } from "./packet_counts.ts";

Deno.test("packets are counted by type, payload bytes beside them", () => {
  const counts = new PacketCounts();
  counts.packet(PacketType.DIAL_REQ);
  counts.packet(PacketType.CLOSE_RSP);
  counts.packet(PacketType.CLOSE_RSP);
  counts.data();
  counts.bytes(10);
  counts.bytes(5);
  assert.equal(counts.of(PacketType.DIAL_REQ), 1);
  assert.equal(counts.of(PacketType.CLOSE_RSP), 2);
  assert.equal(counts.of(PacketType.DATA), 1);
  assert.equal(counts.of(PacketType.DRAIN), 0);
  assert.equal(counts.dataBytes, 15);
});

Deno.test("only types that occurred are listed", () => {
  const counts = new PacketCounts();
  assert.deepEqual([...counts.entries()], []);
  counts.packet(PacketType.DRAIN);
  counts.data();
  assert.deepEqual([...counts.entries()], [{ type: PacketType.DATA, count: 1 }, { type: PacketType.DRAIN, count: 1 }]);
});

Deno.test("a peer that invents types makes one counter, not many", () => {
  const counts = new PacketCounts();
  for (const type of [7, 8, 99, 1_000_000, -1, -(2 ** 31)]) counts.packet(type);
  assert.deepEqual([...counts.entries()], [{ type: unknownPacketType, count: 6 }]);
  assert.equal(counts.of(55), 6);
});
