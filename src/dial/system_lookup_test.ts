import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { until } from "../../tests/support/assert/until.ts";
import { Gate, lookupBySystem } from "./system_lookup.ts";

const never = new AbortController().signal;

leakTest("only so many pass a gate at once, in order; who leaves while waiting takes no place", async () => {
  const gate = new Gate(2);
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const pass = (name: string, signal = never) =>
    gate.pass(signal, () => {
      log.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const leave = new AbortController();
  const first = pass("first");
  const second = pass("second");
  const leaving = pass("leaving", leave.signal);
  const third = pass("third");
  await until("two are in", () => log.length === 2);
  leave.abort(new Error("client left"));
  await assert.rejects(leaving, /client left/);
  ends[0]?.();
  await first;
  await until("the next one is in", () => log.length === 3);
  assert.deepEqual(log, ["first", "second", "third"]);
  for (const end of ends) end();
  await Promise.all([second, third]);
  // What fails gives its place up too.
  for (let round = 0; round < 3; round++) {
    await assert.rejects(gate.pass(never, () => Promise.reject(new Error("failed"))), /failed/);
  }
  await assert.rejects(gate.pass(AbortSignal.abort(new Error("too late")), () => Promise.resolve()), /too late/);
});

leakTest("the system's library knows this machine", async () => {
  assert.ok((await lookupBySystem("localhost", 4, undefined)).includes("127.0.0.1"));
});
