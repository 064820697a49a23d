import assert from "node:assert/strict";
import { blackHole } from "../../tests/support/black_hole.ts";
import { echoDestination, refusingAddress } from "../../tests/support/destinations.ts";
import { leakTest } from "../../tests/support/leak_free.ts";
import { dialTcp } from "./dial_tcp.ts";

const never = new AbortController().signal;

async function failureOf(network: string, address: string, timeoutMs = 20_000): Promise<string> {
  const result = await dialTcp(network, address, { timeoutMs, signal: never });
  if (!result.ok) return result.failure.message;
  result.stream.destroy();
  return "";
}

leakTest("a destination is reached by address and by name, over the network that was asked for", async () => {
  await using echo = await echoDestination();
  assert.equal(await failureOf("tcp", echo.address), "");
  assert.equal(await failureOf("tcp4", echo.address), "");
  assert.equal(await failureOf("tcp", `localhost:${echo.port}`), "");
});

leakTest("a destination that refuses, and one that is none, are told in Go's words", async () => {
  const refused = await refusingAddress();
  assert.equal(await failureOf("tcp", refused), `dial tcp ${refused}: connect: connection refused`);
  assert.equal(await failureOf("tcp", "127.0.0.1"), "dial tcp: address 127.0.0.1: missing port in address");
  assert.equal(await failureOf("tcp", "::1:80"), "dial tcp: address ::1:80: too many colons in address");
  assert.equal(await failureOf("udp", "127.0.0.1:53"), "dial udp: unknown network udp");
  assert.equal(await failureOf("tcp6", "127.0.0.1:80"), "dial tcp6: address 127.0.0.1: no suitable address found");
  assert.equal(await failureOf("tcp4", "[::1]:80"), "dial tcp4: address ::1: no suitable address found");
});

leakTest("a host with bytes that no host has fails its dial and throws at nobody", async () => {
  assert.equal(await failureOf("tcp", "a\0b:80"), "dial tcp: lookup a\0b: no such host");
  for (const host of ["", " ", "\n", "%", "..", "\ud800", "x".repeat(1000)]) {
    for (const network of ["tcp", "tcp4", "tcp6"]) assert.equal(typeof await failureOf(network, `${host}:1`), "string");
  }
});

leakTest(
  "[agent 9-43] a destination that does not answer is an i/o timeout after the time that was given",
  async () => {
    using full = await blackHole();
    assert.equal(await failureOf("tcp", full.address, 200), `dial tcp ${full.address}: i/o timeout`);
  },
);

leakTest("[pains a-4] a dial that is given up leaves no socket, whenever that happens", async () => {
  using full = await blackHole();
  const giveUp = new AbortController();
  const dial = dialTcp("tcp", full.address, { timeoutMs: 20_000, signal: giveUp.signal });
  giveUp.abort();
  assert.equal((await dial).ok, false);
  assert.equal((await dialTcp("tcp", full.address, { timeoutMs: 20_000, signal: giveUp.signal })).ok, false);
});
