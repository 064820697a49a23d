import assert from "node:assert/strict";
import { server, SetWorld } from "../../tests/support/set_world.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { configureSync, resetSync } from "@logtape/logtape";
import { turns } from "../../tests/support/fake_clock.ts";
import { dialRequest } from "../wire/packet.ts";

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
