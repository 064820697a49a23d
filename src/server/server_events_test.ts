import { Code, ConnectError } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { receiptCode } from "./server_events.ts";

Deno.test("a peer that is gone has canceled its call, as a server of the original counts it; other ends keep their codes", () => {
  assert.equal(receiptCode(new ConnectError("connection was lost", Code.Unavailable)), "Canceled");
  assert.equal(receiptCode(new ConnectError("stream was reset", Code.Canceled)), "Canceled");
  assert.equal(receiptCode(new ConnectError("too long", Code.ResourceExhausted)), "ResourceExhausted");
  assert.equal(receiptCode(new Error("anything")), "Unknown");
});
