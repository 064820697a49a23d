import assert from "node:assert/strict";
import { connectId } from "./connect_id.ts";

Deno.test("an id has one form, so that it works as a Map key: a number where it is exact, else a bigint", () => {
  assert.equal(connectId(0n), 0);
  assert.equal(connectId(7n), 7);
  assert.equal(connectId(BigInt(Number.MAX_SAFE_INTEGER)), Number.MAX_SAFE_INTEGER);
  assert.equal(connectId(BigInt(Number.MAX_SAFE_INTEGER) + 1n), 9007199254740992n);
  assert.equal(connectId(2n ** 63n - 1n), 2n ** 63n - 1n);
  assert.equal(connectId(-1n), -1n);
});
