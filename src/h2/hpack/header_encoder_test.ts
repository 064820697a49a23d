import assert from "node:assert/strict";
import { encodeHeaders } from "./header_encoder.ts";

Deno.test("what the static table has is one byte", () => {
  assert.equal(encodeHeaders([[":status", "200"]]).toHex(), "88");
});

Deno.test("a name of the static table is not spelled out", () => {
  assert.equal(
    encodeHeaders([["content-type", "application/grpc"]]).toHex(),
    "0f1010" + "6170706c69636174696f6e2f67727063",
  );
});

Deno.test("nothing is put in the peer's table", () => {
  assert.equal(encodeHeaders([["grpc-status", "0"]]).toHex(), "000b" + "677270632d737461747573" + "0130");
});

Deno.test("a peer that named a table size is told that ours is empty", () => {
  assert.equal(encodeHeaders([[":status", "200"]], true).toHex(), "2088");
});

Deno.test("a long value's length takes several bytes", () => {
  const block = encodeHeaders([["via", "x".repeat(1000)]]);
  assert.equal(block.subarray(0, 5).toHex(), "0f2d" + "7fe906");
  assert.equal(block.length, 5 + 1000);
});
