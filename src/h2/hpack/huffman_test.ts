import assert from "node:assert/strict";
import { decodeHuffman } from "./huffman.ts";

function decode(hex: string): string | undefined {
  const bytes = Uint8Array.fromHex(hex);
  return decodeHuffman(bytes, 0, bytes.length);
}

Deno.test("the strings of RFC 7541, appendix C, are decoded", () => {
  assert.equal(decode("f1e3c2e5f23a6ba0ab90f4ff"), "www.example.com");
  assert.equal(decode("a8eb10649cbf"), "no-cache");
  assert.equal(decode("25a849e95ba97d7f"), "custom-key");
  assert.equal(decode("25a849e95bb8e8b4bf"), "custom-value");
  assert.equal(decode("6402"), "302");
  assert.equal(decode("aec3771a4b"), "private");
  assert.equal(decode("d07abe941054d444a8200595040b8166e082a62d1bff"), "Mon, 21 Oct 2013 20:13:21 GMT");
  assert.equal(decode("9d29ad171863c78f0b97c8e9ae82ae43d3"), "https://www.example.com");
  assert.equal(
    decode("94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"),
    "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  );
});

Deno.test("codes of up to 30 bits are decoded, each byte as one character", () => {
  // 0x0a has the code 3ffffffc of 30 bits, 0x00 has 1ff8 of 13.
  assert.equal(decode("fffffff3"), "\n");
  assert.equal(decode("ffc7"), "\0");
});

Deno.test("an empty string is sound", () => {
  assert.equal(decode(""), "");
});

Deno.test("padding is at most seven bits, all of them ones", () => {
  assert.equal(decode("1f"), "a");
  assert.equal(decode("1e"), undefined, "a zero in the padding");
  assert.equal(decode("18"), undefined, "padding of zeros");
  assert.equal(decode("1fff"), undefined, "a whole byte of padding");
  assert.equal(decode("ff"), undefined, "eight bits of padding and nothing else");
});

Deno.test("EOS within a string is refused", () => {
  assert.equal(decode("ffffffff"), undefined);
  assert.equal(decode("1fffffffff"), undefined);
});
