import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeStatusMessage, encodeStatusMessage } from "./status_message.ts";

Deno.test("printable ASCII stands for itself, the percent sign aside, and the rest is encoded", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["unknown method /no.such/Call", "unknown method /no.such/Call"],
    ["message of 5 bytes, expected 1 at most: ~", "message of 5 bytes, expected 1 at most: ~"],
    ["100%", "100%25"],
    ["a\nb\x7f", "a%0Ab%7F"],
    ["Zürich", "Z%C3%BCrich"],
    // Half a character, as what was cut has at its end.
    ["\ud83d", "%EF%BF%BD"],
  ];
  for (const [message, encoded] of cases) assert.equal(encodeStatusMessage(message), encoded);
});

Deno.test("what is no percent-encoding stays as it is", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["100% no", "100% no"],
    ["%", "%"],
    ["%4", "%4"],
    ["%zz%41%4", "%zzA%4"],
    ["%2Fa%2fb", "/a/b"],
    ["%C3%BC ü %FF", "ü ü \ufffd"],
    ["", ""],
  ];
  for (const [encoded, message] of cases) assert.equal(decodeStatusMessage(encoded), message);
});

Deno.test("any text comes back as it was, and nothing that is received throws", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (message) => {
    const encoded = encodeStatusMessage(message);
    assert.match(encoded, /^[\x20-\x7e]*$/);
    assert.equal(decodeStatusMessage(encoded), message);
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void decodeStatusMessage(text)));
});
