import { Code, ConnectError } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { tokenSubject } from "../../../tests/support/memory/peer_identities.ts";
import { unknownPeer } from "../../wire/peer_identity.ts";
import { serverLimits } from "../server_limits.ts";

Deno.test("[server 13.4-1] an agent needs exactly one id, and at most one set of identifiers", async () => {
  const world = new ServerWorld();
  const refusals = [
    [{ agentid: [] }, "expected one agent ID in the context, got []"],
    [{ agentid: ["a", "b"] }, "expected one agent ID in the context, got [a b]"],
    [
      { agentidentifiers: ["host=a", "host=b"] },
      "expected at most one set of agent identifiers in the context, got [host=a host=b]",
    ],
    [{ agentidentifiers: ";" }, "fail to parse url encoded string: invalid semicolon separator in query"],
  ] as const;
  for (const [metadata, message] of refusals) {
    const agent = await world.agent(metadata);
    assert.equal(agent.refusal?.rawMessage, message);
    assert.equal(agent.refusal?.code, Code.InvalidArgument);
  }
  assert.equal(world.server.connectCalls, 0);
  const long = "host=a&host=b&ipv4=1.2.3.4&ipv6=:::::&cidr=127.0.0.1/16&default-route=true";
  for (const agentidentifiers of ["", long]) {
    const agent = await world.agent({ agentidentifiers });
    assert.equal(agent.refusal, undefined);
    assert.deepEqual({ ...agent.headers }, { serverid: "server-1", servercount: "1" });
  }
  assert.equal(world.server.connectCalls, 2);
});

Deno.test("an empty agent id is taken", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ agentid: "" });
  assert.equal(agent.refusal, undefined);
});

Deno.test("[server W21] a stranger is refused before its identifiers are looked at, and their number is bounded", async () => {
  let allow = false;
  const world = new ServerWorld({
    authenticate: () =>
      allow ? Promise.resolve(tokenSubject()) : Promise.reject(new ConnectError("who are you", Code.Unauthenticated)),
  });
  const stranger = await world.agent({ agentidentifiers: ";" });
  assert.equal(stranger.refusal?.code, Code.Unauthenticated);
  allow = true;
  const many = (count: number, kind: string) => Array.from({ length: count }, (_, at) => `${kind}=a${at}`).join("&");
  const { maxIdentifiers, maxRanges } = serverLimits;
  for (const refused of [many(maxIdentifiers + 1, "host"), many(maxRanges + 1, "cidr")]) {
    assert.equal((await world.agent({ agentidentifiers: refused })).refusal?.code, Code.ResourceExhausted);
  }
  for (const taken of [many(maxIdentifiers, "host"), many(maxRanges, "cidr")]) {
    assert.equal((await world.agent({ agentidentifiers: taken })).refusal, undefined);
  }
});

Deno.test("[server 13.5-9] an agent that is let in by its token, with an empty id, is answered and served to its end", async () => {
  const asked: (readonly string[])[] = [];
  const world = new ServerWorld({
    authenticate: (authorization) => {
      asked.push(authorization);
      return Promise.resolve(tokenSubject());
    },
  });
  const agent = await world.agent({ agentid: "", authorization: "Bearer token" });
  assert.deepEqual(asked, [["Bearer token"]]);
  assert.deepEqual({ ...agent.headers }, { serverid: "server-1", servercount: "1" });
  assert.equal(world.server.pool.size, 1);
  agent.stream.end();
  world.settle();
  assert.equal(agent.near.closed?.kind, "ended");
  assert.equal(world.server.pool.size, 0);
});

Deno.test("a refused agent sees the reason's own gRPC code; anything unexpected is Internal", async () => {
  const world = new ServerWorld({ authenticate: () => Promise.reject(new Error("broken")) });
  const agent = await world.agent();
  assert.equal(agent.refusal?.code, Code.Internal);
  assert.equal(world.server.pool.size, 0);
});

Deno.test("[server 13.5-28] ready_backend_connections: 0 at the start, 1 after an agent came, 0 after it left", async () => {
  const world = new ServerWorld();
  assert.equal(world.server.readyBackends("default"), 0);
  const agent = await world.agent();
  assert.equal(world.server.readyBackends("default"), 1);
  agent.stream.end();
  world.settle();
  assert.equal(world.server.readyBackends("default"), 0);
  assert.equal(agent.near.closed?.kind, "ended");
});

Deno.test("a server that is shutting down takes no agents", async () => {
  const world = new ServerWorld();
  world.server.drain();
  const agent = await world.agent();
  assert.equal(agent.refusal?.code, Code.Unavailable);
  assert.equal(world.server.notReady, "proxy server is shutting down");
});

Deno.test("an agent that goes away while it is checked is not served, and whoever waits for its answer is let go", async () => {
  const gone = new AbortController();
  const world = new ServerWorld({
    authenticate: () => {
      gone.abort();
      return Promise.resolve(tokenSubject());
    },
  });
  const refusal = Promise.withResolvers<ConnectError>();
  world.server.agents.handle({
    peer: unknownPeer,
    metadata: (key) => key === "agentid" ? ["a"] : [],
    signal: gone.signal,
    accept: () => assert.fail("nobody is there"),
    refuse: refusal.resolve,
  });
  assert.equal((await refusal.promise).code, Code.Canceled);
  assert.equal(world.server.connectCalls, 0);
});

Deno.test("an agent id has a bounded number of links: one more takes the place of the oldest that carries nothing", async () => {
  const { linksOfAgentId } = serverLimits;
  const world = new ServerWorld();
  const links = [];
  for (let i = 0; i < linksOfAgentId; i++) links.push(await world.agent());
  const [first, second] = links;
  if (first === undefined || second === undefined) return assert.fail();
  // Every link but the second carries a tunnel, and another agent has one too.
  const other = await world.agent({ agentid: "agent-2" });
  const busy = world.server.pool;
  const pick = busy.pick.bind(busy);
  const all = [...busy.all()];
  for (const [at, link] of links.entries()) {
    if (link === second) continue;
    busy.pick = () => all[at];
    world.openTunnel(link, 1);
  }
  busy.pick = pick;
  const late = await world.agent();
  world.settle();
  assert.equal(late.refusal, undefined);
  assert.equal(second.near.closed?.kind ?? second.stream.closed?.kind, "failed");
  for (const link of [first, other, late]) assert.equal(link.stream.closed, undefined);
  all.splice(0, all.length, ...busy.all());
  busy.pick = () => all.at(-1);
  world.openTunnel(late, 1);
  const refused = await world.agent();
  assert.equal(refused.refusal?.code, Code.ResourceExhausted);
  assert.equal((await world.agent({ agentid: "agent-3" })).refusal, undefined);
});
