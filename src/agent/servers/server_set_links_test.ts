import assert from "node:assert/strict";
import { type FakeServer, server, SetWorld } from "../../../tests/support/memory/set_world.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { configureSync, resetSync } from "@logtape/logtape";
import { turns } from "../../../tests/support/fakes/virtual_clock.ts";
import { dialRequest, PacketType, pong } from "../../wire/packet.ts";

Deno.test("[agent weak 10] a server that never sends its headers is given up, and the next attempt is made", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", { ...server("x"), silent: true }, server("good"));
  world.set.start();
  await world.run(9_900);
  assert.equal(world.attempts.length, 1);
  await world.run(1_500);
  assert.equal(world.linked, "good");
  assert.equal(world.links[0]?.closed, true);
});

Deno.test("[agent 9-38] server restart: a lost server is joined again within the interval", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const first = server("a");
  const second = server("a2");
  let current = first;
  world.behind.set("lb", () => current);
  world.set.start();
  await world.run(5_000);
  assert.equal(world.linked, "a");
  world.kill(first);
  await world.run(200);
  assert.equal(world.linked, "");
  current = second;
  await world.run(1_500);
  assert.equal(world.linked, "a2");
});

Deno.test("a second link to the same server is told to drain and closed when nothing is on it", async () => {
  const world = new SetWorld({ syncForever: true });
  world.names.set("lb", ["lb"]);
  const only = server("a");
  world.place("lb", only);
  world.set.start();
  await world.run(1_200);
  const [, duplicate] = world.links;
  assert.ok(duplicate !== undefined);
  assert.deepEqual(duplicate.peer.log, ["DRAIN"]);
  // A dial that the server sent before it knew keeps the link.
  duplicate.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(5_000);
  assert.equal(duplicate.closed, false);
  assert.equal(world.linked, "a");
  assert.equal(world.links[0]?.closed, false);
});

Deno.test("a second link to a server of this project is closed as soon as the server has read DRAIN: while one of two servers drains, the other has no spare link all the time", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const only: FakeServer = { ...server("a", 2), features: "window" };
  world.place("lb", only);
  world.set.start();
  await world.run(1_100);
  const [, duplicate] = world.links;
  assert.ok(duplicate !== undefined);
  assert.deepEqual(duplicate.peer.log, ["DRAIN"]);
  assert.equal(duplicate.closed, true, "it has waited for no time");
  // A server that does not answer keeps the link as long as any retired one has to be idle.
  only.lives = false;
  await world.run(1_000);
  assert.equal(world.open().length, 2);
  await world.run(1_000);
  assert.equal(world.links[2]?.closed, true);
  assert.equal(world.linked, "a");
});

Deno.test("a dial that crosses DRAIN on a second link keeps it", async () => {
  const world = new SetWorld({ syncForever: true });
  world.names.set("lb", ["lb"]);
  const probed = Promise.withResolvers<void>();
  const only: FakeServer = { ...server("a"), features: "window", probe: () => probed.promise };
  world.place("lb", only);
  world.set.start();
  await world.run(1_100);
  const [, duplicate] = world.links;
  assert.ok(duplicate !== undefined);
  duplicate.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(100);
  probed.resolve();
  await world.run(5_000);
  assert.equal(duplicate.closed, false);
});

Deno.test("[agent weak 6] an old link that ends late does not remove the new one of the same server", async () => {
  const world = new SetWorld({ syncForever: true });
  world.names.set("lb", ["lb"]);
  const only = server("a");
  world.place("lb", only);
  world.set.start();
  await world.run(100);
  const [old] = world.links;
  assert.ok(old !== undefined);
  // The agent loses the link, the server does not notice; the agent connects anew.
  old.peer.near.lose();
  await world.run(1_500);
  assert.equal(world.linked, "a");
  const connection = world.set.connections.get("a");
  // A duplicate that ends does not count either.
  await world.run(1_000);
  for (const link of world.open().slice(1)) link.peer.stream.lose();
  await world.run(100);
  assert.equal(world.set.connections.get("a"), connection);
});

Deno.test("[agent weak 16] a server's refusal is no success: the attempt is repeated with growing times", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const strict = server("a");
  strict.refusal = new ConnectError("token is not valid", Code.Unauthenticated);
  world.place("lb", strict);
  world.set.start();
  await world.run(5_000);
  assert.equal(world.linked, "");
  assert.equal(world.attempts.length, 4);
  assert.ok(world.links.every((link) => link.closed));
  delete strict.refusal;
  await world.run(4_000);
  assert.equal(world.linked, "a");
});

Deno.test("[agent weak 1] [agent weak 15] the token is read for each attempt and trimmed; unreadable, it fails that attempt only", async () => {
  let token: string | undefined;
  const world = new SetWorld({
    identity: {
      agentId: "agent-1",
      identifiers: "ipv4=1.2.3.4",
      readToken: () => token === undefined ? Promise.reject(new Error("no such file")) : Promise.resolve(token),
    },
  });
  world.names.set("lb", ["lb"]);
  const only = server("a");
  world.place("lb", only);
  world.set.start();
  await world.run(200);
  assert.deepEqual(world.attempts, []);
  token = "bad\u0000token";
  await world.run(1_000);
  assert.deepEqual(world.attempts, []);
  token = "  secret-1\n";
  await world.run(3_000);
  assert.equal(world.linked, "a");
  token = "secret-2\n";
  world.kill(only);
  only.up = true;
  await world.run(3_000);
  assert.deepEqual(world.metadata.map(({ authorization }) => authorization), ["Bearer secret-1", "Bearer secret-2"]);
  assert.equal(world.metadata[0]?.["agentidentifiers"], "ipv4=1.2.3.4");
});

Deno.test("[agent weak 24] a server that stopped answering is noticed within 30 s, and its link replaced", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const silent = server("a");
  const next = server("b");
  world.place("lb", silent, next);
  world.set.start();
  await world.run(60_000);
  assert.equal(world.attempts.length, 1);
  silent.lives = false;
  await world.run(27_000);
  assert.equal(world.linked, "b");
  assert.equal(world.links[0]?.closed, true);
});

Deno.test("a second link to a server makes the agent ask whether the first still lives", async () => {
  const world = new SetWorld({ keepalive: { timeMs: 0, timeoutMs: 1_000 }, syncForever: true });
  world.names.set("lb", ["lb"]);
  const only = server("a");
  world.place("lb", only);
  world.set.start();
  await world.run(100);
  only.lives = false;
  await world.run(4_000);
  assert.equal(world.links[0]?.closed, true);
});

Deno.test("[agent weak 19] while it drains, a lost server is joined again and told at once", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const only = server("a");
  world.place("lb", only);
  world.set.start();
  await world.run(100);
  world.set.drain();
  await world.run(100);
  assert.deepEqual(world.links[0]?.peer.log, ["DRAIN"]);
  world.kill(only);
  only.up = true;
  await world.run(3_000);
  assert.equal(world.linked, "a");
  assert.deepEqual(world.links[1]?.peer.log, ["DRAIN"]);
});

Deno.test("[agent weak 21] the end interrupts every wait: nothing is left to happen later", async () => {
  const world = new SetWorld({ hosts: ["good", "bad", "silent"] });
  for (const host of ["good", "bad", "silent"]) world.names.set(host, [host]);
  const good = server("good");
  world.place("good", good);
  world.place("silent", { ...server("x"), silent: true });
  world.set.start();
  await world.run(300);
  assert.equal(world.linked, "good");
  world.set.close("agent is shutting down");
  for (const link of world.links) link.settle();
  await turns();
  for (const link of world.links) link.settle();
  await turns();
  assert.equal(world.clock.pending, 0);
  assert.ok(world.links.every((link) => link.closed));
  assert.equal(world.linked, "");
});

Deno.test("[agent weak 15] [agent weak 16] the log has the server's own status once, and never the token", async () => {
  const lines: string[] = [];
  configureSync({
    reset: true,
    sinks: { lines: (record) => lines.push(`${record.level} ${record.message.join("")}`) },
    loggers: [{ category: [], sinks: ["lines"], lowestLevel: "debug" }, {
      category: ["logtape"],
      lowestLevel: "error",
    }],
  });
  try {
    const world = new SetWorld({
      identity: { agentId: "a", identifiers: "", readToken: () => Promise.resolve("secret-token\n") },
    });
    world.names.set("lb", ["lb"]);
    const strict = server("a");
    strict.refusal = new ConnectError("token is not valid", Code.Unauthenticated);
    world.place("lb", strict);
    world.set.start();
    await world.run(10_000);
    delete strict.refusal;
    await world.run(10_000);
  } finally {
    resetSync();
  }
  const warnings = lines.filter((line) => line.startsWith("warning"));
  assert.equal(warnings.length, 1, lines.join("\n"));
  assert.match(warnings[0] ?? "", /lb:8091.*\[unauthenticated\] token is not valid/);
  assert.ok(lines.some((line) => line.startsWith("info") && line.includes("connected to server")), lines.join("\n"));
  assert.ok(!lines.some((line) => line.includes("secret-token")));
});

Deno.test("a server with another's id and a certificate of its own takes none of its links, whichever came first", async () => {
  for (const order of [["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"]]) {
    const world = new SetWorld({ hosts: order });
    for (const host of order) world.names.set(host, [host]);
    const real = { ...server("a"), names: "real" };
    const rogue = { ...server("a"), names: "rogue" };
    world.place("10.0.0.1", real);
    world.place("10.0.0.2", rogue);
    world.set.start();
    await world.run(60_000);
    assert.deepEqual([world.open(real).length, world.open(rogue).length], [1, 1], order.join());
    const [link] = world.open(real);
    assert.deepEqual(link?.peer.log.filter((entry) => entry === "DRAIN"), [], order.join());
    world.kill(rogue);
    await world.run(5_000);
    assert.equal(world.open(real)[0], link);
    world.kill(real);
    real.up = true;
    await world.run(15_000);
    assert.equal(world.open(real).length, 1, order.join());
  }
});

Deno.test("one server by two addresses, or with a renewed certificate at one, is still one server", async () => {
  const world = new SetWorld({ hosts: ["10.0.0.1", "10.0.0.2"], syncForever: true });
  for (const host of ["10.0.0.1", "10.0.0.2"]) world.names.set(host, [host]);
  const first = { ...server("a"), names: "old" };
  const same = { ...server("a"), names: "old" };
  world.place("10.0.0.1", first);
  world.place("10.0.0.2", same);
  world.set.start();
  await world.run(5_000);
  assert.equal(world.linked, "a");
  first.names = "renewed";
  await world.run(30_000);
  assert.equal(world.linked, "a");
  assert.equal(world.open().filter((link) => !link.peer.log.includes("DRAIN")).length, 1);
});

Deno.test("a server that was asked again before it was lost is joined again, though another address never answers", async () => {
  const world = new SetWorld({ hosts: ["10.0.0.1", "10.0.0.2"] });
  for (const host of ["10.0.0.1", "10.0.0.2"]) world.names.set(host, [host]);
  const only = server("a");
  world.place("10.0.0.1", only);
  world.set.start();
  // The last attempt at the server was to ask how many there are.
  await world.run(80_000);
  assert.equal(world.attempts.filter((host) => host === "10.0.0.1").length, 2);
  world.kill(only);
  only.up = true;
  await world.run(5_000);
  assert.equal(world.linked, "a");
});

Deno.test("over HTTP/2 a server is asked with packets, which reach it through a proxy that answers HTTP/2's pings by itself", async () => {
  for (const direct of [false, true]) {
    const world = new SetWorld();
    world.names.set("lb", ["lb"]);
    const behind = { ...server("a"), direct, features: direct ? "window" : "ping,window", lives: direct };
    world.place("lb", behind);
    world.set.start();
    await world.run(200);
    const able = world.metadata[0]?.["konnectivity-features"];
    const common = "resolved-address,window,window-return";
    assert.equal(able, direct ? `half-close,${common}` : `half-close,ping,${common}`);
    const [link] = world.links;
    assert.ok(link !== undefined);
    let answers = true;
    // The first one came before anybody listened.
    if (!direct) link.peer.stream.sendPacket(pong());
    link.peer.onEach = ({ type }) => {
      if (type === PacketType.PING && answers) link.peer.stream.sendPacket(pong());
    };
    await world.run(60_000);
    assert.equal(link.closed, false);
    const pings = link.peer.log.filter((name) => name === "PING").length;
    assert.ok(direct ? pings === 0 : pings >= 4 && pings <= 7, `${pings} pings in a minute`);
    answers = false;
    behind.lives = false;
    await world.run(27_000);
    assert.equal(link.closed, true, "the proxy lives, the server does not");
  }
});

Deno.test("headers that a proxy keeps until it has more to send are asked for with a ping, before the attempt is given up", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", { ...server("a"), withheld: true });
  world.set.start();
  await world.run(900);
  assert.equal(world.linked, "");
  await world.run(200);
  assert.equal(world.linked, "a");
  assert.equal(world.attempts.length, 1);
});
