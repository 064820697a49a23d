import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { configureSync, resetSync } from "@logtape/logtape";
import { FakeClock, turns } from "../../tests/support/fake_clock.ts";
import { packetPair } from "../../tests/support/packet_pair.ts";
import { Peer } from "../../tests/support/server_world.ts";
import { AgentEventLog } from "../../tests/support/link_world.ts";
import { GrowthBudget } from "../tunnel/receive_window.ts";
import { dialRequest } from "../wire/packet.ts";
import { agentLimits } from "./agent_limits.ts";
import type { LinkTarget } from "./open_link.ts";
import { ServerSet, type ServerSetOptions } from "./server_set.ts";

/** A server that answers, or what an attempt meets instead. */
interface FakeServer {
  readonly serverId: string;
  serverCount: number;
  /** Answers attempts; else they fail. */
  up: boolean;
  refusal?: ConnectError;
  /** Never sends headers. */
  silent?: boolean;
  /** Answers probes. */
  lives?: boolean;
}

interface FakeLink {
  readonly server: FakeServer;
  readonly peer: Peer;
  readonly settle: () => void;
  closed: boolean;
}

/** An agent's set of servers, with servers in memory, a clock that the test moves and no chance. */
class SetWorld {
  readonly clock = new FakeClock();
  readonly attempts: string[] = [];
  readonly links: FakeLink[] = [];
  readonly metadata: Readonly<Record<string, string>>[] = [];
  readonly set: ServerSet;
  /** Which server is behind an address. */
  readonly behind = new Map<string, () => FakeServer | undefined>();
  names = new Map<string, readonly string[]>();
  token: (() => Promise<string>) | undefined;

  constructor(options: Partial<ServerSetOptions> = {}) {
    this.set = new ServerSet(
      {
        hosts: ["lb"],
        port: 8091,
        identity: { agentId: "agent-1", identifiers: "", ...(options.identity ?? {}) },
        transport: (target) => this.#connect(target),
        resolve: (host) => {
          const addresses = this.names.get(host);
          return addresses === undefined ? Promise.reject(new Error("no such host")) : Promise.resolve(addresses);
        },
        syncIntervalMs: 1000,
        syncIntervalCapMs: 10_000,
        syncForever: false,
        keepalive: { timeMs: 10_000, timeoutMs: 10_000 },
        countSource: "default",
        random: () => 0,
        ...options,
      },
      {
        dial: () => new Promise(() => {}),
        clock: this.clock,
        limits: agentLimits,
        events: new AgentEventLog(),
        budget: new GrowthBudget(),
      },
      () => {},
    );
  }

  /** Puts one server behind an address, always or by turns. */
  place(address: string, ...servers: FakeServer[]): void {
    let turn = 0;
    this.behind.set(address, () => servers[turn++ % servers.length]);
  }

  async run(ms: number): Promise<void> {
    for (let gone = 0; gone < ms; gone += 100) {
      this.clock.advance(Math.min(100, ms - gone));
      await turns();
      for (const link of this.links) link.settle();
      await turns();
    }
  }

  /** Ids of the servers that the set is linked to. */
  get linked(): string {
    return [...this.set.connections.keys()].sort().join(" ");
  }

  /** Links that are open, as a server sees it. */
  open(server?: FakeServer): FakeLink[] {
    return this.links.filter((link) => !link.closed && (server === undefined || link.server === server));
  }

  /** A server dies and takes its links with it. */
  kill(server: FakeServer): void {
    server.up = false;
    for (const link of this.open(server)) link.peer.stream.lose(new Error("server died"));
  }

  #connect(target: LinkTarget): ReturnType<ServerSetOptions["transport"]> {
    this.attempts.push(target.host);
    const server = this.behind.get(target.host)?.();
    if (server === undefined || !server.up) {
      return Promise.reject(new ConnectError(`cannot connect to ${target.host}`, Code.Unavailable));
    }
    const { near, far, settle } = packetPair();
    const link: FakeLink = { server, peer: new Peer(far, near), settle, closed: false };
    // A server ends its side when the agent has.
    link.peer.onEnd = () => link.peer.stream.end();
    return Promise.resolve({
      open: (metadata) => {
        this.metadata.push(metadata);
        this.links.push(link);
        return { stream: near, metadata: answerOf(server) };
      },
      probe: () => server.lives === false ? new Promise<void>(() => {}) : Promise.resolve(),
      close: () => {
        link.closed = true;
        near.lose();
      },
    });
  }
}

function answerOf(server: FakeServer): Promise<(key: string) => readonly string[]> {
  if (server.refusal !== undefined) return Promise.reject(server.refusal);
  if (server.silent === true) return new Promise(() => {});
  const answer: Readonly<Record<string, string>> = {
    serverid: server.serverId,
    servercount: String(server.serverCount),
  };
  return Promise.resolve((key) => answer[key] === undefined ? [] : [answer[key]]);
}

const server = (serverId: string, serverCount = 1): FakeServer => ({ serverId, serverCount, up: true });

Deno.test("the first attempt is made at once, and a set that is complete makes no more", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(100);
  assert.equal(world.linked, "a");
  await world.run(30_000);
  assert.deepEqual(world.attempts, ["lb"]);
  assert.equal(world.set.serverCount, 1);
});

Deno.test("a balancer that hands out three servers by turns is asked until each has a link", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.place("lb", server("a", 3), server("a", 3), server("b", 3), server("c", 3));
  world.set.start();
  await world.run(3_500);
  assert.equal(world.linked, "a b c");
  assert.equal(world.set.serverCount, 3);
  assert.equal(world.attempts.length, 4);
  await world.run(5_000);
  assert.equal(world.open().length, 3);
});

Deno.test("failed attempts come 1, 1.5, 2.25 s apart and so on up to the cap", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.set.start();
  const times: number[] = [];
  let seen = 0;
  for (let at = 0; at < 40_000; at += 100) {
    await world.run(100);
    if (world.attempts.length > seen) times.push(world.clock.now());
    seen = world.attempts.length;
  }
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  const expected = [1000, 1500, 2250, 3375, 5063, 7594, 10_000];
  assert.equal(gaps.length, expected.length);
  for (const [at, gap] of gaps.entries()) {
    assert.ok(Math.abs(gap - (expected[at] ?? 0)) <= 200, `gap ${at} is ${gap} ms, not ${expected[at]}`);
  }
});

Deno.test("every server of a list is linked at once, whatever each says of their number", async () => {
  const world = new SetWorld({ hosts: ["one", "two", "three"] });
  for (const host of ["one", "two", "three"]) {
    world.names.set(host, [host]);
    world.place(host, server(host, 1));
  }
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "one three two");
  // They are not too many, either.
  await world.run(120_000);
  assert.equal(world.linked, "one three two");
});

Deno.test("every address of a name is tried by itself, with the name for the certificate", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 3));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2 server-3");
  assert.deepEqual(world.attempts.toSorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

Deno.test("a server that does not answer delays no other", async () => {
  const world = new SetWorld({ hosts: ["silent", "good"] });
  for (const host of ["silent", "good"]) world.names.set(host, [host]);
  world.place("silent", { ...server("x"), silent: true });
  world.place("good", server("good"));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "good");
});

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

Deno.test("[agent weak 17] [pains a-19] attempts that lead nowhere new come further and further apart", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a", 3));
  world.set.start();
  await world.run(10_000);
  const quick = world.attempts.length;
  assert.ok(quick >= 9, `${quick} attempts in 10 s`);
  await world.run(300_000);
  const slow = world.attempts.length - quick;
  assert.ok(slow <= 40, `${slow} attempts in 300 s`);
  assert.equal(world.open().length, 1);
});

Deno.test("[agent weak 17] [pains a-21] something new behind a balancer is looked for quickly again after a server was lost", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const a = server("a", 2);
  const b = server("b", 2);
  let current = a;
  world.behind.set("lb", () => current);
  world.set.start();
  await world.run(200_000);
  current = b;
  world.kill(a);
  await world.run(1_200);
  assert.equal(world.linked, "b");
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

Deno.test("[agent weak 18] [pains a-20] a complete set asks again now and then, and so notices that there are more servers", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const a = server("a", 1);
  const b = server("b", 2);
  const placed = [a];
  let turn = 0;
  world.behind.set("lb", () => placed[turn++ % placed.length]);
  world.set.start();
  await world.run(30_000);
  assert.equal(world.attempts.length, 1);
  a.serverCount = 2;
  placed.push(b);
  await world.run(63_000);
  assert.equal(world.linked, "a b");
  const attempts = world.attempts.length;
  await world.run(20_000);
  assert.equal(world.attempts.length, attempts);
});

Deno.test("[agent weak 18] addresses that appear behind a name are linked to", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2");
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  await world.run(31_000);
  assert.equal(world.linked, "server-1 server-2 server-3");
});

Deno.test("[agent weak 18] a count that rises looks for the new server's address at once, and again within seconds", async () => {
  const count = { value: 2, change: () => {} };
  const world = new SetWorld({
    counter: {
      count: () => count.value,
      onChange: (listener) => {
        count.change = listener;
      },
    },
  });
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2");
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  count.value = 3;
  count.change();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2 server-3");
  count.value = 4;
  count.change();
  await world.run(200);
  // The name gains the address only after the lease was seen.
  world.place("10.0.0.4", server("server-4", 2));
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  await world.run(5_200);
  assert.equal(world.linked, "server-1 server-2 server-3 server-4");
});

Deno.test("[agent weak 18] links that are too many for a while are given up, idle ones first, and tunnels run on", async () => {
  const count = { value: 3, change: () => {} };
  const world = new SetWorld({
    counter: {
      count: () => count.value,
      onChange: (listener) => {
        count.change = listener;
      },
    },
  });
  world.names.set("lb", ["lb"]);
  const servers = ["a", "b", "c"].map((id) => server(id));
  world.place("lb", ...servers);
  world.set.start();
  await world.run(3_000);
  assert.equal(world.linked, "a b c");
  for (const link of world.open().slice(0, 2)) {
    link.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  }
  await world.run(100);
  count.value = 1;
  count.change();
  await world.run(29_000);
  assert.equal(world.linked, "a b c");
  await world.run(5_000);
  assert.equal(world.set.connections.size, 1);
  // The idle one is closed, the one with a dial under way serves it to its end.
  assert.equal(world.links[2]?.closed, true);
  assert.equal(world.open().length, 2);
  assert.equal(world.open().filter((link) => link.peer.log.includes("DRAIN")).length, 1);
});

Deno.test("a count that drops for a moment only costs no link", async () => {
  const count = { value: 2, change: () => {} };
  const world = new SetWorld({
    counter: {
      count: () => count.value,
      onChange: (listener) => {
        count.change = listener;
      },
    },
  });
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(2_000);
  for (const value of [1, 2]) {
    count.value = value;
    count.change();
    await world.run(20_000);
  }
  await world.run(60_000);
  assert.equal(world.linked, "a b");
});

Deno.test("a changed count of leases is acted on at once", async () => {
  const count = { value: 1, change: () => {} };
  const world = new SetWorld({
    counter: {
      count: () => count.value,
      onChange: (listener) => {
        count.change = listener;
      },
    },
  });
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(5_000);
  assert.equal(world.linked, "a");
  count.value = 2;
  count.change();
  await world.run(100);
  assert.equal(world.linked, "a b");
});

/** A world whose servers are counted by something that the test sets. */
function countedWorld(first: number, options: Partial<ServerSetOptions>): { world: SetWorld; set(to: number): void } {
  let value = first;
  let change = () => {};
  const counter = {
    count: () => value,
    onChange: (listener: () => void) => {
      change = listener;
    },
  };
  return {
    world: new SetWorld({ counter, ...options }),
    set(to) {
      value = to;
      change();
    },
  };
}

Deno.test("a server that is announced is found behind a balancer in quick attempts, that end when they lead nowhere", async () => {
  const { world, set } = countedWorld(1, { syncIntervalMs: 5_000, syncIntervalCapMs: 30_000 });
  world.names.set("lb", ["lb"]);
  const [a, b] = [server("a"), server("b")];
  world.place("lb", ...Array(6).fill(a), b);
  world.set.start();
  await world.run(60_000);
  assert.equal(world.linked, "a");
  set(2);
  await world.run(1_500);
  assert.equal(world.linked, "a b");
  // Complete: nothing is left of the hurry.
  const { length } = world.attempts;
  await world.run(60_000);
  assert.equal(world.attempts.length, length);
  // Nothing new comes behind this one.
  set(3);
  await world.run(2_000);
  assert.ok(world.attempts.length - length >= 10, `${world.attempts.length - length} attempts in 2 s`);
  await world.run(120_000);
  const late = world.attempts.length;
  await world.run(300_000);
  assert.ok(world.attempts.length - late <= 15, `${world.attempts.length - late} attempts in 300 s`);
});

Deno.test("a server that is announced is tried at once under an address that has failed for long", async () => {
  const { world, set } = countedWorld(1, { hosts: ["one", "two"], syncIntervalMs: 10_000, syncIntervalCapMs: 60_000 });
  for (const host of ["one", "two"]) world.names.set(host, [host]);
  const second = server("b");
  world.place("one", server("a"));
  world.place("two", second);
  second.up = false;
  world.set.start();
  await world.run(300_000);
  assert.equal(world.linked, "a");
  second.up = true;
  set(2);
  await world.run(100);
  assert.equal(world.linked, "a b");
  assert.equal(world.attempts.filter((host) => host === "one").length, 1);
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

Deno.test("addresses of the other family are tried only while none of the usual one leads anywhere", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2"]);
  for (const id of [1, 2]) {
    const both = server(`server-${id}`, 2);
    world.place(`10.0.0.${id}`, both);
    world.place(`fd00::${id}`, both);
  }
  world.set.start();
  await world.run(20_000);
  assert.equal(world.linked, "server-1 server-2");
  assert.deepEqual(world.attempts.toSorted(), ["10.0.0.1", "10.0.0.2"]);

  const ipv6Only = new SetWorld();
  ipv6Only.names = world.names;
  for (const id of [1, 2]) ipv6Only.place(`fd00::${id}`, server(`server-${id}`, 2));
  ipv6Only.set.start();
  await ipv6Only.run(3_000);
  assert.equal(ipv6Only.linked, "server-1 server-2");
});

Deno.test("a name that cannot be resolved is tried as it is, and its addresses are used once there are some", async () => {
  const world = new SetWorld();
  world.set.start();
  await world.run(5_000);
  assert.ok(world.attempts.every((host) => host === "lb"));
  for (const id of [1, 2]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  await world.run(31_000);
  assert.equal(world.linked, "server-1 server-2");
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

Deno.test("[agent weak 25] hosts that are called as gRPC's schemes are hosts like others", async () => {
  const world = new SetWorld({ hosts: ["unix", "dns"] });
  for (const host of ["unix", "dns"]) {
    world.names.set(host, [host]);
    world.place(host, server(host, 2));
  }
  world.set.start();
  await world.run(100);
  assert.equal(world.linked, "dns unix");
});
