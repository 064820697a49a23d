import assert from "node:assert/strict";
import { type Stranger, Strangers } from "./strangers.ts";

function from(remoteAddress: string, remotePort: number): Stranger {
  return { remoteAddress, remotePort, close: () => {} };
}

/** Adds one of whom there may be `bound`. */
function add(strangers: Strangers, stranger: Stranger, bound: number): Stranger | undefined {
  return strangers.add(stranger, strangers.size >= bound);
}

/** Adds some that have shaken hands. */
function addWaiting(strangers: Strangers, waiting: readonly Stranger[], bound: number): void {
  for (const each of waiting) {
    assert.equal(add(strangers, each, bound), undefined);
    strangers.secured(each.remoteAddress, each.remotePort);
  }
}

Deno.test("whoever opens many connections stands in its own way, and in nobody else's", () => {
  const strangers = new Strangers();
  const flood = Array.from({ length: 10 }, (_, at) => from("192.0.2.1", at));
  for (const socket of flood) assert.equal(add(strangers, socket, 10), undefined);
  const other = from("192.0.2.2", 1);
  assert.equal(add(strangers, other, 10), flood[0], "the flood makes room");
  strangers.remove("192.0.2.1", 0);
  assert.equal(strangers.size, 10);
});

Deno.test("beside connections that say nothing, the next of their address has the time of a handshake", () => {
  const strangers = new Strangers();
  const silent = Array.from({ length: 10 }, (_, at) => from("192.0.2.1", at));
  for (const socket of silent) add(strangers, socket, 10);
  const honest = from("192.0.2.1", 100);
  // It is the last to go of those that have come by now.
  for (const [at, socket] of [honest, ...silent.slice(1)].entries()) {
    const surplus = add(strangers, at === 0 ? socket : from("192.0.2.1", 200 + at), 10);
    assert.equal(surplus, silent[at]);
    strangers.remove("192.0.2.1", surplus?.remotePort ?? -1);
  }
  assert.ok(strangers.remove("192.0.2.1", 100), "it proves itself");
});

Deno.test("those that wait for the review of their token are not pushed out by those behind them", () => {
  const strangers = new Strangers();
  const waiting = Array.from({ length: 10 }, (_, at) => from("192.0.2.1", at));
  addWaiting(strangers, waiting, 10);
  const behind = from("192.0.2.1", 10);
  assert.equal(add(strangers, behind, 10), behind);
  strangers.remove("192.0.2.1", 10);
  assert.equal(
    add(strangers, from("192.0.2.2", 1), 10),
    waiting[9],
    "one that comes from elsewhere costs them the newest",
  );
});

Deno.test("a peer that has proved itself makes room for the next of its address", () => {
  const strangers = new Strangers();
  // Ten thousand agents behind one address, of whom sixteen wait for the review of their token at a time.
  for (let agent = 0; agent < 10_000; agent++) {
    assert.equal(add(strangers, from("198.51.100.7", agent), 16), undefined);
    if (agent >= 15) strangers.remove("198.51.100.7", agent - 15);
  }
  assert.equal(strangers.size, 15);
});

Deno.test("a /64 of IPv6 is one address, and a mapped IPv4 address is that address", () => {
  const strangers = new Strangers();
  const sockets = ["2001:db8:0:1::1", "2001:db8::1:2:3:4:5", "2001:db8:0:1:ffff::2"].map((each, at) => from(each, at));
  for (const socket of sockets) add(strangers, socket, 100);
  add(strangers, from("::ffff:192.0.2.1", 5), 100);
  // The /64 has two, the others one each.
  assert.equal(add(strangers, from("192.0.2.9", 6), 4), sockets[0]);
  strangers.remove("192.0.2.1", 5);
  assert.equal(strangers.size, 4);
});
