import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { blackHole } from "../../../tests/support/fakes/black_hole.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { NameFiles, NameServer } from "../../../tests/support/fakes/name_server.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { FamilyHistory } from "../../dial/address_order.ts";
import type { DialContext } from "../../dial/dial.ts";
import { NameResolver } from "../../dial/name_resolver.ts";
import { dialTcp } from "./dial_tcp.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const never = new AbortController().signal;

/** A listener that counts who came, on an address and port of its own. */
async function listener(address: string, port = 0) {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.resume();
    socket.on("end", () => socket.end());
  });
  server.listen(port, address);
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Dials a name with these addresses. */
async function dialName(
  port: number,
  addresses: readonly string[],
  timeoutMs = 60_000,
  history = new FamilyHistory(systemClock),
) {
  using files = new NameFiles({ hosts: addresses.map((address) => `${address} several\n`).join("") });
  const context: DialContext = {
    clock: systemClock,
    resolver: new NameResolver({ files, clock: systemClock }),
    history,
  };
  return await dialTcp("tcp", `several:${port}`, { timeoutMs, signal: never }, context);
}

leakTest("an address whose SYN is lost does not hold up the next one, nor the other way round", async () => {
  await using good = await listener("127.0.0.3");
  using dead = await blackHole("127.0.0.2", good.port);
  const result = await dialName(dead.port, ["127.0.0.2", "127.0.0.3"]);
  assert.ok(result.ok);
  assert.equal(good.accepted, 1);
  result.stream.destroy();
  await until("the connection is gone", () => good.open === 0);
});

leakTest("an attempt goes on beside those that begin after it: a slow line connects", async () => {
  using first = await blackHole("127.0.0.2");
  using second = await blackHole("127.0.0.3", first.port);
  using third = await blackHole("127.0.0.4", first.port);
  const dial = dialName(first.port, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
  // By then the second and the third attempt have begun, and the first would be aborted by the runtime's own way.
  await new Promise((resolve) => setTimeout(resolve, 700));
  first.open();
  const result = await dial;
  assert.ok(result.ok, JSON.stringify(result));
  await until("it is the first one that was reached", () => first.accepted === 1);
  assert.deepEqual([second.accepted, third.accepted], [0, 0]);
  result.stream.destroy();
});

leakTest("an address that refuses leads to the next at once, and of four three may be dead", async () => {
  await using good = await listener("127.0.0.5");
  using dead = await blackHole("127.0.0.2", good.port);
  using deadToo = await blackHole("127.0.0.3", good.port);
  const result = await dialName(good.port, [dead.address, deadToo.address, "127.0.0.4:0", "127.0.0.5:0"].map(hostOf));
  assert.ok(result.ok);
  assert.equal(good.accepted, 1);
  result.stream.destroy();
  await until("the connection is gone", () => good.open === 0);
});

leakTest("where no address leads anywhere the reasons are told, and nothing is left", async () => {
  const { port } = await freed();
  const refused = await dialName(port, ["127.0.0.2", "127.0.0.3"]);
  assert.deepEqual(refused, {
    ok: false,
    failure: { reason: "unknown", message: `dial tcp several:${port}: connect: connection refused` },
  });
  // Nobody has a route to this one (RFC 3849), or everybody who has hears nothing.
  using dead = await blackHole("127.0.0.2");
  const late = await dialName(dead.port, ["127.0.0.2", "127.0.0.3"], 600);
  assert.deepEqual(late, {
    ok: false,
    failure: {
      reason: "timeout",
      message: `dial tcp several:${dead.port}: i/o timeout (127.0.0.3: connection refused)`,
    },
  });
});

leakTest("the families take turns, IPv6 first; what led nowhere is not first next time", async () => {
  await using good = await listener("127.0.0.3");
  const history = new FamilyHistory(systemClock);
  assert.equal(history.first, 6);
  // No address of documentation (RFC 3849) can be reached.
  const result = await dialName(good.port, ["2001:db8::1", "127.0.0.3"], 60_000, history);
  assert.ok(result.ok);
  assert.equal(history.first, 4);
  result.stream.destroy();
  await until("the connection is gone", () => good.open === 0);
});

leakTest("a name that is resolved meanwhile counts to the dial's time, and giving up leaves nothing", async () => {
  await using server = await NameServer.listen(() => undefined);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const context = {
    clock: systemClock,
    resolver: new NameResolver({ files, port: server.port, clock: systemClock }),
    history: new FamilyHistory(systemClock),
  };
  const late = await dialTcp("tcp", "silent.example:80", { timeoutMs: 300, signal: never }, context);
  assert.deepEqual(late, {
    ok: false,
    failure: { reason: "timeout", message: "dial tcp: lookup silent.example: i/o timeout" },
  });
  await until("nobody is asked any more", () => context.resolver.inFlight === 0);
  const giveUp = new AbortController();
  const dial = dialTcp("tcp", "silent.example:80", { timeoutMs: 60_000, signal: giveUp.signal }, context);
  await until("the name was asked for", () => server.asked.length > 2);
  giveUp.abort();
  assert.equal((await dial).ok, false);
  await until("nobody is asked any more", () => context.resolver.inFlight === 0);
});

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}

/** A port that nobody listens on. */
async function freed() {
  await using gone = await listener("127.0.0.2");
  return { port: gone.port };
}
