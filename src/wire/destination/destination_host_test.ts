import assert from "node:assert/strict";
import { readHost } from "./destination_host.ts";

function shown(host: string): string {
  const read = readHost(host);
  return read.kind === "address" ? `address ${read.text}` : read.kind === "name" ? `name ${read.name}` : "none";
}

/** What net.Dial of Go 1.26 makes of each, on a machine whose resolver is Go's. */
const hosts: Readonly<Record<string, string>> = {
  "127.0.0.1": "address 127.0.0.1",
  "::ffff:127.0.0.1": "address 127.0.0.1",
  "::ffff:127.0.0.1%lo": "address 127.0.0.1",
  "::1": "address ::1",
  "::1%lo": "address ::1",
  "fe80::1%eth0": "address fe80::1%eth0",
  "": "address 127.0.0.1",
  "0.0.0.0": "address 127.0.0.1",
  "::": "address 127.0.0.1",
  "::ffff:0.0.0.0": "address 127.0.0.1",
  localhost: "name localhost",
  "LocalHost.": "name localhost",
  "a_b.example": "name a_b.example",
  "1.2.3.4.example": "name 1.2.3.4.example",
  "3com.example": "name 3com.example",
  "0xyz.example": "name 0xyz.example",
  "2130706433": "none",
  "127.1": "none",
  "0177.0.0.1": "none",
  "127.000.000.001": "none",
  "00.0.0.0": "none",
  "0": "none",
  "127.0.0.1.": "none",
  "1.2.3.4.5": "none",
  "127.0.0.1%lo": "none",
  "１２７.0.0.1": "none",
  "127。0。0。1": "none",
  "+127.0.0.1": "none",
  " 127.0.0.1": "none",
  "a b": "none",
  "a\0b": "none",
  "-a.example": "none",
  "-a.example.": "none",
  "a.": "name a",
  "a..example": "none",
  "[::1]": "none",
  // Go asks its name server for these, C's resolver takes them for 127.0.0.1 and 0.0.0.0.
  "0x7f.1": "none",
  "0x7f000001": "none",
  "0X7F.0.0.1": "none",
  "0x0": "none",
  "0x": "none",
  "0x1.2.3.4": "none",
  "0x1.2.3.4.5": "name 0x1.2.3.4.5",
};

for (const [host, meaning] of Object.entries(hosts)) {
  Deno.test(`the host ${JSON.stringify(host)} of a dial is ${meaning}`, () => assert.equal(shown(host), meaning));
}

Deno.test("a name is as long as the domain name system allows", () => {
  const label = "a".repeat(63);
  assert.equal(readHost(`${label}.${label}.${label}.${"a".repeat(61)}.`).kind, "name");
  assert.equal(readHost(`${label}.${label}.${label}.${"a".repeat(62)}`).kind, "none");
  assert.equal(readHost(`${label}a.example`).kind, "none");
});
