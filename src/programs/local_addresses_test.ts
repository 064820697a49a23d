import assert from "node:assert/strict";
import { parseIp } from "../wire/destination/ip_address.ts";
import { isLocalAddress } from "./local_addresses.ts";

function local(text: string): boolean {
  return isLocalAddress(parseIp(text) ?? assert.fail(text));
}

Deno.test("this machine's addresses are the loopback ones and those of its interfaces", () => {
  for (const { address } of Deno.networkInterfaces()) assert.ok(local(address), address);
  for (const address of ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"]) {
    assert.ok(local(address), address);
  }
  for (const address of ["198.51.100.7", "2001:db8::7"]) assert.ok(!local(address), address);
});

Deno.test("where the interfaces cannot be seen every address counts as this machine's", { permissions: "none" }, () => {
  for (const address of ["127.0.0.1", "198.51.100.7", "2001:db8::7"]) assert.ok(local(address), address);
});
