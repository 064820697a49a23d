import assert from "node:assert/strict";
import { certifiedPeer, tokenSubject } from "../../tests/support/memory/peer_identities.ts";
import { ServerWorld } from "../../tests/support/memory/server_world.ts";
import { AllowedNames } from "../wire/destination/allowed_names.ts";
import { closeRequest, closeResponse, dialed, dialFailed, dialRequest } from "../wire/packet.ts";
import type { ProxyServerOptions } from "./proxy_server.ts";

const apiserver = certifiedPeer({ commonName: "system:kube-apiserver", organizations: ["system:masters"] });
const node = certifiedPeer({ dnsNames: ["node-1.example"] });

// deno-lint-ignore no-explicit-any -- lines are read as whoever processes the log reads them
type Line = any;

/** A world whose audit log is kept. */
function audited(options: Partial<ProxyServerOptions> = {}): { world: ServerWorld; lines: Line[] } {
  const lines: Line[] = [];
  const world = new ServerWorld({
    audit: (line) => {
      assert.doesNotMatch(line, /[\n\r]/);
      lines.push(JSON.parse(line));
    },
    ...options,
  });
  return { world, lines };
}

const target = { protocol: "tcp", address: "db.internal:5432" };

Deno.test("a tunnel leaves two lines: who dialled what through whom, and how much was sent until its end", async () => {
  const { world, lines } = audited({ authenticate: () => Promise.resolve(tokenSubject({ podName: "agent-x2" })) });
  const features = "half-close,window,resolved-address";
  const agent = await world.agent({ agentid: "one", "konnectivity-features": features }, node);
  assert.equal(agent.headers["konnectivity-features"], "half-close,resolved-address,window");
  const client = world.client({}, apiserver);
  client.stream.sendPacket(dialRequest(target, 5n));
  world.settle();
  agent.stream.sendPacket(dialed(agent.lastRandom, 7, "10.0.0.9:5432"));
  world.settle();
  assert.equal(lines.length, 1);
  const [dial] = lines;
  const common = {
    id: String(agent.lastRandom),
    client: {
      frontend: "grpc",
      name: "system:kube-apiserver",
      address: "192.0.2.7:4711",
      certificate: {
        commonName: "system:kube-apiserver",
        organizations: ["system:masters"],
        serial: "01",
        notAfter: "2031-01-01T00:00:00Z",
        fingerprint: "ab".repeat(32),
      },
    },
    destination: "db.internal:5432",
    resolved: "10.0.0.9:5432",
    agent: {
      id: "one",
      name: "node-1.example",
      address: "192.0.2.7:4711",
      certificate: {
        dnsNames: ["node-1.example"],
        serial: "01",
        notAfter: "2031-01-01T00:00:00Z",
        fingerprint: "ab".repeat(32),
      },
      token: { namespace: "kube-system", serviceAccount: "konnectivity-agent", podName: "agent-x2" },
    },
  };
  const { time, seconds, ...rest } = dial;
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(typeof seconds, "number");
  assert.deepEqual(rest, { event: "dial", ...common, outcome: "connected" });
  client.stream.sendData(7, new Uint8Array(10));
  agent.stream.sendData(7, new Uint8Array(300));
  world.settle();
  client.stream.sendPacket(closeRequest(7));
  world.settle();
  assert.equal(lines.length, 1);
  agent.stream.sendPacket(closeResponse(7));
  world.settle();
  const { time: _time, seconds: lasted, ...close } = lines[1];
  assert.equal(typeof lasted, "number");
  const bytes = { bytesToDestination: 10, bytesFromDestination: 300 };
  assert.deepEqual(close, { event: "close", ...common, ...bytes, reason: "closed", initiator: "client" });
  assert.equal(lines.length, 2);
});

Deno.test("a dial that opens no tunnel leaves one line with the reason, whatever it was", async () => {
  const { world, lines } = audited({ clientNames: new AllowedNames(["system:kube-apiserver"]) });
  const dial = () => {
    const client = world.client({}, apiserver);
    client.stream.sendPacket(dialRequest(target, 5n));
    world.settle();
    return client;
  };
  dial();
  const agent = await world.agent({ agentid: "one" });
  dial();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, 'dial tcp: "refused"\n'));
  world.settle();
  dial();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "dial tcp 10.0.0.1:1: not allowed: it is denied"));
  world.settle();
  dial().stream.end();
  world.settle();
  dial();
  agent.stream.lose(new Error("gone"));
  world.settle();
  world.client({}, node);
  const socket = world.client({}, apiserver);
  socket.stream.sendPacket(dialRequest({ protocol: "unix", address: "/run/docker.sock" }, 5n));
  world.settle();
  assert.deepEqual([lines[6].protocol, lines[6].destination], ["unix", "/run/docker.sock"]);
  assert.deepEqual([lines[6].outcome, lines[6].reason], ["refused", "not_allowed"]);
  assert.deepEqual(lines.slice(0, 6).map(({ event, outcome, reason, message }) => [event, outcome, reason, message]), [
    ["dial", "failed", "no_agent", "No agent available"],
    ["dial", "failed", "error_response", 'dial tcp: "refused"\n'],
    ["dial", "refused", "error_response", "dial tcp 10.0.0.1:1: not allowed: it is denied"],
    ["dial", "failed", "frontend_close", "client gave up the dial"],
    ["dial", "failed", "backend_close", "agent link lost: gone"],
    ["dial", "refused", "name", "client is refused: its certificate bears no name of --client-allowed-names"],
  ]);
  assert.deepEqual([lines[0].agent, lines[1].agent.id], [undefined, "one"]);
  assert.equal(lines[5].client.name, "node-1.example");
  assert.equal(lines[5].destination, undefined);
});

Deno.test("a tunnel whose link is lost is closed in the log with that reason", async () => {
  const { world, lines } = audited();
  const agent = await world.agent();
  world.openTunnel(agent, 7);
  agent.stream.lose(new Error("gone"));
  world.settle();
  const { event, reason, message, id } = lines.at(-1);
  assert.deepEqual([event, reason, message, id], ["close", "link_lost", "agent link lost: gone", lines[0].id]);
  // A client on a Unix socket, or of whom nothing is known, has an address at least.
  assert.deepEqual(lines[0].client, { frontend: "grpc", name: "unknown", address: "unknown" });
});

Deno.test("without an audit log agents are not asked for addresses", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "half-close,window,resolved-address" });
  assert.equal(agent.headers["konnectivity-features"], "half-close,window");
});

Deno.test("what peers choose is cut in the log, and stays one line of JSON", async () => {
  const { world, lines } = audited();
  const agent = await world.agent({ agentid: "x".repeat(5000) });
  const client = world.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address: `"\n\\${"y".repeat(900)}:1` }, 5n));
  world.settle();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "e".repeat(4000)));
  world.settle();
  assert.equal(lines.length, 1);
  assert.equal(lines[0].agent.id.length, 1025);
  assert.equal(lines[0].message.length, 1025);
  assert.match(lines[0].destination, /^"\n\\y+/);
});
