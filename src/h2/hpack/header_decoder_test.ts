import assert from "node:assert/strict";
import fc from "fast-check";
import { HeaderDecoder, HpackError } from "./header_decoder.ts";
import { encodeHeaders } from "./header_encoder.ts";
import type { HeaderField } from "./header_table.ts";

function decoder(tableBytes = 4096): (hex: string) => readonly HeaderField[] {
  const one = new HeaderDecoder(tableBytes, 65_536);
  return (hex) => one.decode(Uint8Array.fromHex(hex)).fields;
}

function refused(hex: string, tableBytes = 4096): void {
  assert.throws(() => decoder(tableBytes)(hex), (error) => error instanceof HpackError, hex);
}

const firstRequest: readonly HeaderField[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const secondRequest: readonly HeaderField[] = [...firstRequest, ["cache-control", "no-cache"]];
const thirdRequest: readonly HeaderField[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];

Deno.test("RFC 7541 C.2: each form of a header", () => {
  const custom = "400a637573746f6d2d6b65790d637573746f6d2d686561646572";
  assert.deepEqual(decoder()(custom), [["custom-key", "custom-header"]]);
  assert.deepEqual(decoder()("040c2f73616d706c652f70617468"), [[":path", "/sample/path"]]);
  assert.deepEqual(decoder()("100870617373776f726406736563726574"), [["password", "secret"]]);
  assert.deepEqual(decoder()("82"), [[":method", "GET"]]);
});

Deno.test("RFC 7541 C.3: requests on one connection, without Huffman coding", () => {
  const decode = decoder();
  assert.deepEqual(decode("828684410f7777772e6578616d706c652e636f6d"), firstRequest);
  assert.deepEqual(decode("828684be58086e6f2d6361636865"), secondRequest);
  assert.deepEqual(decode("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"), thirdRequest);
});

Deno.test("RFC 7541 C.4: requests on one connection, with Huffman coding", () => {
  const decode = decoder();
  assert.deepEqual(decode("828684418cf1e3c2e5f23a6ba0ab90f4ff"), firstRequest);
  assert.deepEqual(decode("828684be5886a8eb10649cbf"), secondRequest);
  assert.deepEqual(decode("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), thirdRequest);
});

Deno.test("RFC 7541 C.5 and C.6: responses that push each other out of a table of 256 bytes", () => {
  const answer = (status: string, seconds: string): HeaderField[] => [
    [":status", status],
    ["cache-control", "private"],
    ["date", `Mon, 21 Oct 2013 20:13:${seconds} GMT`],
    ["location", "https://www.example.com"],
  ];
  const third: HeaderField[] = [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
    ["location", "https://www.example.com"],
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ];
  const plain = decoder(256);
  assert.deepEqual(
    plain(
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54" +
        "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    ),
    answer("302", "21"),
  );
  assert.deepEqual(plain("4803333037c1c0bf"), answer("307", "21"));
  assert.deepEqual(
    plain(
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d" +
        "4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ),
    third,
  );
  const coded = decoder(256);
  assert.deepEqual(
    coded(
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    ),
    answer("302", "21"),
  );
  assert.deepEqual(coded("4883640effc1c0bf"), answer("307", "21"));
  assert.deepEqual(
    coded(
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af2708" +
        "7f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ),
    third,
  );
});

Deno.test("the table's size may be lowered and raised at the start of a block, up to what was announced", () => {
  const decode = decoder();
  decode("400a637573746f6d2d6b65790d637573746f6d2d686561646572");
  assert.deepEqual(decode("be"), [["custom-key", "custom-header"]]);
  assert.deepEqual(decode("203fe11f82"), [[":method", "GET"]], "to nothing and back to 4096");
  assert.throws(() => decode("be"), HpackError, "what was in it is gone");
  refused("3fe21f", 4096);
  refused("8220");
});

Deno.test("an entry larger than the table empties it and is no error", () => {
  const decode = decoder(64);
  const long = encodeLiteral("x".repeat(100), "y");
  assert.equal(decode(long).length, 1);
  assert.throws(() => decode("be"), HpackError);
});

/** A literal with incremental indexing. */
function encodeLiteral(name: string, value: string): string {
  const text = (of: string) => of.length.toString(16).padStart(2, "0") + new TextEncoder().encode(of).toHex();
  return `40${text(name)}${text(value)}`;
}

Deno.test("blocks that are not well formed are refused", () => {
  for (
    const block of [
      "80", // index 0
      "be", // index 62 with an empty table
      "ff", // integer cut off
      "ffffffffffffffff0f", // integer without an end
      "ffffffffff0f", // integer beyond all bounds
      "40", // name missing
      "0005", // name cut off
      "4003616263", // value missing
      "400361626305", // value cut off
      "0081ff00", // Huffman name that is all padding
      "0082ffff00",
      "7f80", // name index cut off
    ]
  ) refused(block);
});

Deno.test("a list beyond the limit is told of, and the table stays right", () => {
  const small = new HeaderDecoder(4096, 100);
  const { fields, tooLarge } = small.decode(
    Uint8Array.fromHex("400a637573746f6d2d6b65790d637573746f6d2d686561646572".repeat(3)),
  );
  assert.equal(tooLarge, true);
  assert.equal(fields.length, 1);
  assert.deepEqual(small.decode(Uint8Array.fromHex("be")), {
    fields: [["custom-key", "custom-header"]],
    tooLarge: false,
  });
});

Deno.test("what the encoder writes is read back", () => {
  const name = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
  const value = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)) });
  const known = fc.constantFrom<HeaderField>([":status", "200"], [":status", "431"], ["content-type", "text/plain"]);
  fc.assert(fc.property(fc.array(fc.oneof(fc.tuple(name, value), known)), fc.boolean(), (fields, resets) => {
    const one = new HeaderDecoder(4096, 1 << 20);
    assert.deepEqual(one.decode(encodeHeaders(fields, resets)).fields, fields);
  }));
});

Deno.test("random blocks are read or refused with the one error", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
      const one = new HeaderDecoder(4096, 65_536);
      for (const block of blocks) {
        try {
          one.decode(block);
        } catch (error) {
          assert.ok(error instanceof HpackError);
          return;
        }
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a list of headers may be as large as its bound, and one that is larger by a byte is too large", () => {
  const block = encodeHeaders([["a", "1"]]);
  const [fits, exceeds] = [34, 33].map((bytes) => new HeaderDecoder(4096, bytes).decode(block));
  assert.deepEqual([fits?.fields, fits?.tooLarge], [[["a", "1"]], false]);
  assert.deepEqual([exceeds?.fields, exceeds?.tooLarge], [[], true]);
});

Deno.test("a header without its value is cut off, and so is a size without its end", () => {
  refused("400161");
  refused("3f");
});
