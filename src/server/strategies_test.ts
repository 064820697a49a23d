import assert from "node:assert/strict";
import { hostOf } from "./strategies.ts";

Deno.test("[server 13.3-1] [agent 9-32] the port is removed from a host", () => {
  const hosts: Record<string, string> = {
    "localhost:8080": "localhost",
    "localhost": "localhost",
    "192.168.0.1:8080": "192.168.0.1",
    "::": "::",
    "9878::7675:1292:9183:7562": "9878::7675:1292:9183:7562",
    "[alsk:1204:1020::1292]:8080": "alsk:1204:1020::1292",
    " www.kubernetes.test:8080": " www.kubernetes.test",
  };
  for (const [address, host] of Object.entries(hosts)) assert.equal(hostOf(address), host, address);
});

Deno.test("an address that is no host:port is taken whole", () => {
  for (const address of ["", "[", "[::1", "a:b:c"]) assert.equal(hostOf(address), address);
  assert.equal(hostOf("[::1]"), "::1");
  assert.equal(hostOf(":80"), "");
});
