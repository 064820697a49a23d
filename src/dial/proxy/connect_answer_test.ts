import assert from "node:assert/strict";
import { ConnectAnswerError, ConnectAnswerReader } from "./connect_answer.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The head that an answer has, cut at every possible place. */
function readCut(text: string) {
  const whole = new ConnectAnswerReader().push(bytes(text));
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new ConnectAnswerReader();
    const first = reader.push(bytes(text.slice(0, cut)));
    const head = first ?? reader.push(bytes(text.slice(cut)));
    assert.equal(head?.status, whole?.status, `cut at ${cut}`);
  }
  return whole;
}

Deno.test("[client 6.4] the answers that the original's client takes are taken, however they are cut", () => {
  for (
    const text of [
      "HTTP/1.1 200 Connection Established\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.0 200 OK\r\n\r\n",
      "HTTP/1.1 200\r\n\r\n",
      "HTTP/1.1 200 OK\nServer: x\n\n",
      "HTTP/1.1 200 OK\n\r\n",
      "HTTP/1.1 200 OK\r\n\n",
    ]
  ) assert.equal(readCut(text)?.status, 200, text);
});

Deno.test("[client 6.4] a 100 Continue before the answer is skipped", () => {
  const head = readCut("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  assert.equal(head?.status, 200);
});

Deno.test("bytes behind the head are handed on", () => {
  const head = new ConnectAnswerReader().push(bytes("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello\r\n\r\n"));
  assert.equal(new TextDecoder().decode(head?.rest), "hello\r\n\r\n");
  assert.equal(head?.headers.get("a"), "b");
});

Deno.test("a refusal's status, reason and headers are read", () => {
  const head = new ConnectAnswerReader().push(bytes("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad"));
  assert.deepEqual([head?.status, head?.reason, head?.headers.get("content-length")], [502, "Bad Gateway", "3"]);
});

Deno.test("what cannot become an answer is refused at its first wrong byte", () => {
  for (const text of ["hello", "SSH-2.0", "HTTP/2", "\x16\x03\x01", "\r\n"]) {
    assert.throws(() => new ConnectAnswerReader().push(bytes(text)), ConnectAnswerError, text);
  }
});

Deno.test("a bad status line or header, and a switch of protocols, are refused", () => {
  for (
    const text of [
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 OK\r\n\r\n",
      "HTTP/1.7 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ]
  ) assert.throws(() => new ConnectAnswerReader().push(bytes(text)), ConnectAnswerError, text);
});

Deno.test("a head without an end is refused at 64 KiB, interim answers included", () => {
  const reader = new ConnectAnswerReader();
  reader.push(bytes("HTTP/1.1 200 OK\r\n"));
  assert.throws(() => {
    for (let i = 0; i < 100; i++) reader.push(bytes(`X-${i}: ${"a".repeat(1000)}\r\n`));
  }, /head of more than 65536 bytes/);
});

Deno.test("interim answers without an end are refused at 64 KiB, and what a tunnel sends behind some is not counted", () => {
  const reader = new ConnectAnswerReader();
  const interim = bytes("HTTP/1.1 102 Processing\r\n\r\n");
  assert.throws(() => {
    for (let i = 0; i < 3_000; i++) reader.push(interim);
  }, /head of more than 65536 bytes/);
  const head = new ConnectAnswerReader(100).push(
    bytes(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n${"x".repeat(1_000)}`),
  );
  assert.equal(head?.rest.length, 1_000);
});
