import assert from "node:assert/strict";
import { checkDer, derAt, DerError, derOid } from "./der.ts";

function refused(bytes: Uint8Array): void {
  assert.throws(() => checkDer(derAt(bytes, 0)), DerError, bytes.subarray(0, 16).toHex());
}

Deno.test("object identifiers are read in their one form", () => {
  const read = (hex: string) => derOid(derAt(Uint8Array.fromHex(hex), 0));
  assert.equal(read("0603551d13"), "2.5.29.19");
  assert.equal(read("06092a864886f70d01010b"), "1.2.840.113549.1.1.11");
  assert.equal(read("0603883703"), "2.999.3");
});

Deno.test("an object identifier that is cut off is none, and no other one that is shorter", () => {
  refused(Uint8Array.fromHex("0604551d1386"));
  refused(Uint8Array.fromHex("060186"));
});

Deno.test("an object identifier with a number that is not minimal is none", () => {
  refused(Uint8Array.fromHex("060480551d13"));
  refused(Uint8Array.fromHex("060455801d13"));
});

Deno.test("a time of any length is refused as such", () => {
  for (const tag of [0x17, 0x18]) {
    // A length of three bytes.
    const bytes = new Uint8Array(5 + 1_000_000).fill(0x30);
    bytes.set([tag, 0x83, 0x0f, 0x42, 0x40]);
    refused(bytes);
  }
});
