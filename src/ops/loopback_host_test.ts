import assert from "node:assert/strict";
import { isLoopbackHost } from "./loopback_host.ts";

Deno.test("a loopback host is localhost or a loopback address, and nothing that merely looks like one", () => {
  for (const host of ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "[::ffff:127.0.0.1]"]) {
    assert.ok(isLoopbackHost(host), host);
  }
  for (const host of ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", "127.1", "a"]) {
    assert.ok(!isLoopbackHost(host), host);
  }
});
