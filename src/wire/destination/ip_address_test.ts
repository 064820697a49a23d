import assert from "node:assert/strict";
import fc from "fast-check";
import { isIPv4, isIPv6 } from "node:net";
import {
  formsOf,
  inRange,
  ipRange,
  isIp,
  isLoopback,
  isUnspecified,
  parseIp,
  parseIpRange,
  within,
} from "./ip_address.ts";

Deno.test("addresses are read as Go reads them, and have one form", () => {
  const forms: Readonly<Record<string, string>> = {
    "127.0.0.1": "127.0.0.1",
    "::1": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "FE80::1": "fe80::1",
    "::ffff:127.0.0.1": "127.0.0.1",
    "::FFFF:7f00:1": "127.0.0.1",
    "0:0:0:0:0:ffff:127.0.0.1": "127.0.0.1",
    "::ffff:127.0.0.1%lo": "127.0.0.1",
    "fe80::1%eth0": "fe80::1",
    // Not mapped: an address of its own, deprecated, which leads nowhere.
    "::127.0.0.1": "::7f00:1",
    "64:ff9b::127.0.0.1": "64:ff9b::7f00:1",
    "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
    "1:2:3:4:5:6:1.2.3.4": "1:2:3:4:5:6:102:304",
  };
  for (const [text, form] of Object.entries(forms)) assert.equal(parseIp(text)?.toString(), form, text);
});

Deno.test("what Go takes for no address is none", () => {
  const others = [
    ...["", " ", "0", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.01"],
    ...["127.000.000.001", "127.0.0.1.", "1.2.3.4.5", "256.0.0.1", "127.0.0.1%lo", "１２７.0.0.1", "+1.2.3.4"],
    ...[":", ":::", "::1::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8"],
    ...["::ffff:0177.0.0.1", "::ffff:127.1", "::%", "[::1]", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "g::"],
    ...["127..0.1", ".127.0.1", "127.0.0.", "1.2.3.4a", "12.3.4.a", "1.2.3.:", "1:2:3:4::5:6:7:8::9"],
  ];
  for (const text of others) assert.equal(parseIp(text), undefined, text);
  assert.ok(isIp("::1") && isIp("1.2.3.4") && !isIp("127.1"));
});

Deno.test("any text is an address exactly where the runtime takes it for one", () => {
  const piece = fc.constantFrom(
    "0",
    "1",
    "ff",
    "fffff",
    "127",
    "256",
    "01",
    "ffff",
    ":",
    "::",
    ".",
    "%",
    "g",
    "1.2.3.4",
  );
  const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")));
  fc.assert(
    fc.property(text, (each) => assert.equal(parseIp(each) !== undefined, isIPv4(each) || isIPv6(each), each)),
    { numRuns: 2_000 },
  );
});

/** An address as a number, from its bytes. */
function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

Deno.test("an address is in a range exactly where their first bits are the same", () => {
  const ipv4 = fc.record({ one: fc.ipV4(), other: fc.ipV4(), bits: fc.integer({ min: 0, max: 32 }) });
  const ipv6 = fc.record({ one: fc.ipV6(), other: fc.ipV6(), bits: fc.integer({ min: 0, max: 128 }) });
  fc.assert(fc.property(fc.oneof(ipv4, ipv6), fc.boolean(), ({ one, other, bits }, near) => {
    const range = parseIpRange(`${one}/${bits}`);
    // A network that differs in one bit is the case that matters.
    const address = parseIp(near ? one : other);
    if (range === undefined || address === undefined || range.network.kind() !== address.kind()) return;
    const [a, b] = [numberOf(range.network.toByteArray()), numberOf(address.toByteArray())];
    const rest = BigInt(address.toByteArray().length * 8 - range.bits);
    assert.equal(inRange(address, range), a >> rest === b >> rest);
  }));
});

Deno.test("the last bit inside of a range and the first outside of it are told apart, whatever its length", () => {
  for (const [base, size] of [["10.128.64.32", 32], ["fd00:1:2:3:4:5:6:7", 128]] as const) {
    for (let bits = 1; bits <= size; bits++) {
      const range = ipRange(`${base}/${bits}`);
      const bytes = [...range.network.toByteArray()];
      const flipped = (bit: number) =>
        bytes.map((byte, index) => index === Math.floor(bit / 8) ? byte ^ (128 >> (bit % 8)) : byte);
      const text = (all: readonly number[]) =>
        size === 32 ? all.join(".") : Array.from({ length: 8 }, (_, at) => {
          return ((all[2 * at] ?? 0) * 256 + (all[2 * at + 1] ?? 0)).toString(16);
        }).join(":");
      const inside = bits < size ? parseIp(text(flipped(bits))) : range.network;
      const outside = parseIp(text(flipped(bits - 1)));
      assert.ok(inside !== undefined && inRange(inside, range), `${base}/${bits}`);
      assert.ok(outside !== undefined && !inRange(outside, range), `${base}/${bits}`);
    }
  }
});

Deno.test("ranges that are none are none, and a range of mapped addresses is one of IPv4 addresses", () => {
  for (
    const text of ["10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0/8", "::/129", "a/8"]
  ) {
    assert.equal(parseIpRange(text), undefined, text);
  }
  for (const text of ["fe80::%eth0/64", "::ffff:10.0.0.0/8", "/8", "::1/1/1"]) {
    assert.equal(parseIpRange(text), undefined, text);
  }
  assert.throws(() => ipRange("10/8"), new TypeError("10/8 is no range of addresses"));
  const mapped = parseIpRange("::ffff:10.0.0.0/104");
  assert.equal(`${mapped?.network}/${mapped?.bits}`, "10.0.0.0/8");
});

Deno.test("a range lies in another one, not in one of the other family, nor in a narrower one", () => {
  assert.ok(within(ipRange("169.254.20.10/32"), ipRange("169.254.0.0/16")));
  assert.ok(within(ipRange("169.254.0.0/16"), ipRange("169.254.0.0/16")));
  assert.ok(!within(ipRange("0.0.0.0/0"), ipRange("169.254.0.0/16")));
  assert.ok(!within(ipRange("169.255.0.0/24"), ipRange("169.254.0.0/16")));
  assert.ok(!within(ipRange("::/0"), ipRange("0.0.0.0/0")));
});

Deno.test("a NAT64 address is also the IPv4 address in it, an unspecified one loopback, others are themselves alone", () => {
  const forms = (text: string) => formsOf(parseIp(text) ?? assert.fail(text)).map(String);
  assert.deepEqual(forms("64:ff9b::169.254.169.254"), ["64:ff9b::a9fe:a9fe", "169.254.169.254"]);
  assert.deepEqual(forms("64:ff9b:1::1"), ["64:ff9b:1::1"]);
  assert.deepEqual(forms("0.0.0.0"), ["0.0.0.0", "127.0.0.1"]);
  assert.deepEqual(forms("::ffff:0.0.0.0"), ["0.0.0.0", "127.0.0.1"]);
  assert.deepEqual(forms("::"), ["::", "::1"]);
  assert.deepEqual(forms("10.0.0.1"), ["10.0.0.1"]);
});

Deno.test("loopback and unspecified addresses are known in each form", () => {
  const is = (check: typeof isLoopback, text: string) => check(parseIp(text) ?? assert.fail(text));
  for (const text of ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.9"]) assert.ok(is(isLoopback, text), text);
  for (const text of ["128.0.0.1", "::2", "0.0.0.0"]) assert.ok(!is(isLoopback, text), text);
  for (const text of ["0.0.0.0", "::", "::ffff:0.0.0.0"]) assert.ok(is(isUnspecified, text), text);
  assert.ok(!is(isUnspecified, "0.0.0.1"));
});
