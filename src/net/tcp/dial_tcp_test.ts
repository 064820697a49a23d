import assert from "node:assert/strict";
import { blackHole } from "../../../tests/support/fakes/black_hole.ts";
import { echoDestination, refusingAddress } from "../../../tests/support/in_process/destinations.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { dialTcp } from "./dial_tcp.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { dialContext } from "../../dial/connector.ts";

const context = dialContext("destinations", systemClock);

const never = new AbortController().signal;

async function failureOf(network: string, address: string, timeoutMs = 20_000): Promise<string> {
  const result = await dialTcp(network, address, { timeoutMs, signal: never }, context);
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
  const dial = dialTcp("tcp", full.address, { timeoutMs: 20_000, signal: giveUp.signal }, context);
  giveUp.abort();
  assert.equal((await dial).ok, false);
  assert.equal((await dialTcp("tcp", full.address, { timeoutMs: 20_000, signal: giveUp.signal }, context)).ok, false);
});

leakTest("each address is asked about before it is connected to, and a name before it is resolved", async () => {
  await using echo = await echoDestination();
  const asked: unknown[][] = [];
  const dial = (host: string, refuse: (address: string | undefined) => boolean) =>
    dialTcp("tcp", `${host}:${echo.port}`, {
      timeoutMs: 20_000,
      signal: never,
      refusal: (...all) => {
        asked.push(all);
        return refuse(all[2]) ? "not allowed: by the test" : undefined;
      },
    }, context);
  const reached = await dial("localhost", () => false);
  assert.ok(reached.ok);
  reached.stream.destroy();
  await until("the connection is gone", () => echo.open === 0);
  assert.deepEqual(asked[0], ["localhost", echo.port, undefined]);
  assert.ok(asked.some(([, , address]) => address === "127.0.0.1"), JSON.stringify(asked));
  for (const refuse of [() => true, (address: string | undefined) => address !== undefined]) {
    assert.deepEqual(await dial("localhost", refuse), {
      ok: false,
      failure: { reason: "not_allowed", message: `dial tcp localhost:${echo.port}: not allowed: by the test` },
    });
  }
  const other = await dial("localhost", (address) => address === "::1");
  assert.ok(other.ok, "the addresses that may be dialled are");
  other.stream.destroy();
  await until("the connection is gone", () => echo.open === 0);
  for (const host of ["[::ffff:127.0.0.1]", "0.0.0.0", ""]) {
    asked.length = 0;
    assert.equal((await dial(host, () => true)).ok, false);
    assert.deepEqual(asked.map(([, , address]) => address), ["127.0.0.1"], host);
  }
  assert.equal(echo.open, 0);
});

leakTest(
  "forms of an address that Go does not take are no hosts, whatever the system's resolver makes of them",
  async () => {
    await using echo = await echoDestination();
    for (const host of ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.000.000.001", "１２７.0.0.1"]) {
      assert.equal(await failureOf("tcp", `${host}:${echo.port}`), `dial tcp: lookup ${host}: no such host`);
    }
  },
);
