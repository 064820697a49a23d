import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { certifiedPeer, tokenSubject } from "../../tests/support/memory/peer_identities.ts";
import { ServerWorld } from "../../tests/support/memory/server_world.ts";
import { AllowedNames } from "../wire/destination/allowed_names.ts";
import { closeResponse, dialed, dialRequest } from "../wire/packet.ts";
import { unknownPeer } from "../wire/peer_identity.ts";

const apiserver = certifiedPeer({ commonName: "system:kube-apiserver" });
const node = certifiedPeer({ commonName: "system:node:a", dnsNames: ["a.nodes.example"], addresses: ["10.0.0.1"] });

/** A request as the listener makes it: the Fetch API makes none with this method. */
class ConnectRequest extends Request {
  override get method(): string {
    return "CONNECT";
  }
}

Deno.test("with names for clients, a certificate with another one opens no tunnel, over gRPC or HTTP CONNECT", async () => {
  const world = new ServerWorld({ clientNames: new AllowedNames(["system:kube-apiserver"]) });
  await world.agent();
  assert.equal(world.client({}, apiserver).refusal, undefined);
  for (const stranger of [node, unknownPeer]) {
    assert.equal(world.client({}, stranger).refusal?.code, Code.PermissionDenied);
    const request = new ConnectRequest("http://connect/a.example%3A1");
    const answer = await world.server.connect.fetch(request, { peer: stranger, rawHeaders: [] });
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /client is refused: its certificate bears no name of --client-allowed-names/);
  }
  assert.deepEqual(world.events.refused, Array(4).fill("client for its name"));
  assert.equal(world.server.pendingDials, 0);
});

Deno.test("with names for agents, a certificate with another one gives no agent, and its token is not even reviewed", async () => {
  let reviews = 0;
  const world = new ServerWorld({
    agentNames: new AllowedNames(["*.nodes.example"]),
    authenticate: () => {
      reviews++;
      return Promise.resolve(tokenSubject());
    },
  });
  for (const stranger of [apiserver, unknownPeer]) {
    assert.equal((await world.agent({}, stranger)).refusal?.code, Code.PermissionDenied);
  }
  assert.equal(reviews, 0);
  assert.equal((await world.agent({}, node)).refusal, undefined);
  assert.equal(reviews, 1);
  assert.equal(world.server.pool.size, 1);
  assert.deepEqual(world.events.refused, ["agent for its name", "agent for its name"]);
});

Deno.test("with bound identifiers, an agent that claims another's is refused and told which", async () => {
  const world = new ServerWorld({ bindIdentifiers: true, strategies: ["destHost"] });
  const honest = await world.agent({ agentidentifiers: "host=a.nodes.example&ipv4=10.0.0.1" }, node);
  assert.equal(honest.refusal, undefined);
  const thief = await world.agent({ agentidentifiers: "ipv4=10.0.0.1&host=db.internal" }, node);
  assert.equal(thief.refusal?.code, Code.PermissionDenied);
  assert.match(thief.refusal?.message ?? "", /it claims host=db\.internal, which neither/);
  assert.equal(world.server.pool.size, 1);
  assert.deepEqual(world.events.refused, ["agent for its identifier"]);
});

Deno.test("with bound identifiers, a token's pod and node count", async () => {
  const subject = tokenSubject({ podName: "agent-x2", nodeName: "node-1" });
  const world = new ServerWorld({ bindIdentifiers: true, authenticate: () => Promise.resolve(subject) });
  assert.equal((await world.agent({ agentidentifiers: "host=node-1&host=agent-x2" })).refusal, undefined);
  const thief = await world.agent({ agentidentifiers: "host=node-2" });
  assert.match(thief.refusal?.message ?? "", /it claims host=node-2,/);
  // Nothing in a token bears a route.
  assert.equal((await world.agent({ agentidentifiers: "default-route=true" })).refusal?.code, Code.PermissionDenied);
});

Deno.test("without the flags any certificate is a client or agent, with whatever identifiers", async () => {
  const world = new ServerWorld();
  assert.equal((await world.agent({ agentidentifiers: "host=db.internal&default-route=true" })).refusal, undefined);
  assert.equal(world.client({}, node).refusal, undefined);
  assert.deepEqual(world.events.refused, []);
});

Deno.test("a second agent with the id of another reaches none of its tunnels, whatever it sends", async () => {
  const world = new ServerWorld();
  const first = await world.agent({ agentid: "one" });
  const client = world.openTunnel(first, 7);
  const second = await world.agent({ agentid: "one" }, node);
  assert.equal(world.server.pool.size, 2);
  second.stream.sendPacket(closeResponse(7, "closed by a stranger"));
  second.stream.sendPacket(dialed(first.lastRandom, 7));
  second.stream.sendData(7, new Uint8Array(3));
  world.settle();
  assert.equal(client.log.at(-1), "DIAL_RSP 7");
  const pending = world.client();
  pending.stream.sendPacket(dialRequest({ protocol: "tcp", address: "localhost:80" }, 5n));
  world.settle();
  second.stream.end();
  world.settle();
  assert.equal(world.server.pool.size, 1);
  assert.equal(client.near.closed, undefined);
  first.stream.sendData(7, new Uint8Array(3));
  world.settle();
  assert.match(client.log.at(-1) ?? "", /^DATA 7/);
});
