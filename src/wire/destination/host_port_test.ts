import assert from "node:assert/strict";
import fc from "fast-check";
import { bareHost, formatHostPort, hostPortOf, parseHostPort } from "./host_port.ts";

Deno.test("host and port are told apart", () => {
  assert.deepEqual(parseHostPort("localhost:8080"), { host: "localhost", port: 8080 });
  assert.deepEqual(parseHostPort("1.2.3.4:0"), { host: "1.2.3.4", port: 0 });
  assert.deepEqual(parseHostPort("[::1]:443"), { host: "::1", port: 443 });
  assert.deepEqual(parseHostPort("[fe80::1%eth0]:65535"), { host: "fe80::1%eth0", port: 65535 });
  assert.deepEqual(parseHostPort("[localhost]:80"), { host: "localhost", port: 80 });
  assert.deepEqual(parseHostPort(":80"), { host: "", port: 80 });
});

Deno.test("an address that cannot be split is refused in Go's words", () => {
  const words: Record<string, string> = {
    "": "missing port in address",
    "localhost": "missing port in address",
    "[::1]": "missing port in address",
    "[::1]443": "missing port in address",
    "[::1": "missing ']' in address",
    "::1": "too many colons in address",
    "a:b:1": "too many colons in address",
    "[::1]:80:90": "too many colons in address",
    "[[::1]:80": "unexpected '[' in address",
    "a[b:80": "unexpected '[' in address",
    "a]:80": "unexpected ']' in address",
  };
  for (const [address, why] of Object.entries(words)) assert.equal(parseHostPort(address), why, address);
});

Deno.test("a port is a decimal number of 16 bits", () => {
  for (const port of ["", "-1", "65536", "000080", "8o", "0x50", " 80", "http", "1e3"]) {
    assert.equal(parseHostPort(`localhost:${port}`), `invalid port ${JSON.stringify(port)}`);
  }
});

Deno.test("what is joined is split again", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(fc.property(host, fc.nat(65535), (name, port) => {
    assert.deepEqual(parseHostPort(formatHostPort(name, port)), { host: name, port });
  }));
});

Deno.test("a URL leads to its host, without brackets, at its scheme's port where it names none", () => {
  assert.deepEqual(hostPortOf(new URL("https://api.example/a")), { host: "api.example", port: 443 });
  assert.deepEqual(hostPortOf(new URL("http://api.example")), { host: "api.example", port: 80 });
  assert.deepEqual(hostPortOf(new URL("http://[fd00::1]:443")), { host: "fd00::1", port: 443 });
});

Deno.test("only brackets around the whole host are taken off", () => {
  assert.equal(bareHost("[::1]"), "::1");
  for (const host of ["::1", "[::1", "a", ""]) assert.equal(bareHost(host), host);
});
