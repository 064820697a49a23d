import assert from "node:assert/strict";
import {
  helloFrame,
  linkFrame,
  linkFrameKinds,
  maxLinkFrameBytes,
  readHello,
  readStatus,
  statusFrame,
} from "./link_frame.ts";
import { PacketError } from "./packet_error.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("kinds and the bound of frames are those that other versions know", () => {
  assert.deepEqual({ ...linkFrameKinds }, { packet: 0, hello: 1, status: 2, ping: 3, pong: 4 });
  assert.equal(maxLinkFrameBytes, 393_216);
});

Deno.test("a frame is its kind, its body's length and its body", () => {
  assert.equal(linkFrame(3, Uint8Array.of(7, 8)).toHex(), "03" + "00000002" + "0708");
  assert.deepEqual(helloFrame({ a: "b c" }), linkFrame(1, bytesOf("a=b+c")));
  assert.deepEqual(statusFrame({ code: 14, message: "ä&" }), linkFrame(2, bytesOf("code=14&message=%C3%A4%26")));
});

Deno.test("what was said is read, and a status without a message has an empty one", () => {
  assert.deepEqual(readHello(bytesOf("a=b+c&a=d"))("a"), ["b c", "d"]);
  assert.deepEqual(readStatus(bytesOf("code=14&message=%C3%A4%26")), { code: 14, message: "ä&" });
  assert.deepEqual(readStatus(bytesOf("code=0")), { code: 0, message: "" });
});

Deno.test("a status without a code, and bytes that are no text, are malformed", () => {
  const fault = (read: () => unknown, message: string) =>
    assert.throws(read, (error) => {
      assert.ok(error instanceof PacketError);
      assert.deepEqual([error.code, error.message], ["malformed", message]);
      return true;
    });
  for (const text of ["", "message=x", "code=", "code=100", "code=-1"]) {
    fault(() => readStatus(bytesOf(text)), "status frame without a code");
  }
  fault(() => readHello(Uint8Array.of(0xff)), "frame is not UTF-8");
});
