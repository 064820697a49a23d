import assert from "node:assert/strict";
import type { AgentEntry, ServerStatus, TunnelEntry } from "../../status/server_status.ts";
import { flowMap } from "./flows.js";
import { Model } from "./model.js";

function agent(id: string, rate = 0): AgentEntry {
  return {
    id,
    name: id,
    address: `10.0.0.1:${id}`,
    link: "direct",
    seconds: 1,
    identifiers: [],
    identifierCount: 0,
    draining: false,
    stalled: false,
    tunnels: 0,
    dials: 0,
    queuedBytes: 0,
    bytes: { sent: 0, received: 0 },
    rate: { sent: rate, received: 0 },
  };
}

function tunnel(id: string, sent: number, more: Partial<TunnelEntry> = {}): TunnelEntry {
  return {
    id,
    client: { frontend: "grpc", name: "c", address: "" },
    destination: `d${id}:1`,
    agent: "1",
    seconds: 1,
    state: "open",
    bytes: { sent, received: 0 },
    queuedBytes: 0,
    ...more,
  };
}

interface Change {
  readonly agents: readonly AgentEntry[];
  readonly from?: number;
  readonly total?: number;
  readonly tunnels?: readonly TunnelEntry[];
  readonly startedAt?: string;
}

function status(
  { agents, from = 0, total = agents.length, tunnels = [], startedAt = "2026-11-30T18:00:00.000Z" }: Change,
): ServerStatus {
  return {
    version: 1,
    program: { name: "proxy-server", version: "1", startedAt, uptimeSeconds: 10 },
    ready: true,
    draining: false,
    listeners: [],
    certificates: [],
    server: { id: "s", serverCount: 1, strategies: ["default"] },
    agents: { total, matched: total, from, items: agents },
    tunnels: { total: tunnels.length, matched: tunnels.length, from: 0, items: tunnels },
    dials: { total: 0, matched: 0, from: 0, items: [] },
    probes: [],
    failures: [],
  };
}

const ids = (model: Model) => [...model.links.values()].map(({ entry }) => "id" in entry ? entry.id : "");

Deno.test("a table of several pages is read page by page, and what is gone is forgotten at the end of the next round", () => {
  const model = new Model();
  model.take(status({ agents: [agent("1"), agent("2")], total: 3 }), 0);
  assert.equal(model.nextFrom, 2);
  assert.deepEqual(model.seen().gone, [], "the others are not read yet");
  model.take(status({ agents: [agent("3")], from: 2, total: 3 }), 1_000);
  assert.equal(model.nextFrom, 0);
  assert.deepEqual(ids(model), ["1", "2", "3"]);
  model.take(status({ agents: [agent("1"), agent("3")], total: 2 }), 2_000);
  assert.deepEqual(ids(model), ["1", "3"]);
  const { links, mostLinks, mostLinksSeconds, gone } = model.seen();
  assert.deepEqual([links, mostLinks, mostLinksSeconds, gone], [2, 3, 1, ["2"]]);
});

Deno.test("a link that is renewed is there twice for a moment, and nobody is fewer behind it", () => {
  const model = new Model();
  model.take(status({ agents: [agent("1"), { ...agent("1"), address: "10.0.0.1:9" }] }), 0);
  model.take(status({ agents: [agent("1")] }), 2_000);
  const { links, mostLinks, gone } = model.seen();
  assert.deepEqual([links, mostLinks, gone], [1, 1, []]);
});

Deno.test("half an hour later nobody is missed any more", () => {
  const model = new Model();
  model.take(status({ agents: [agent("1"), agent("2")] }), 0);
  for (let minute = 1; minute <= 32; minute++) model.take(status({ agents: [agent("1")] }), minute * 60_000);
  assert.equal(model.seen().mostLinks, 1);
  assert.deepEqual(model.seen().gone, []);
});

Deno.test("a restarted program begins anew, and what was there before is still missed", () => {
  const model = new Model();
  model.take(status({ agents: [agent("1"), agent("2")], tunnels: [tunnel("7", 100)] }), 0);
  model.take(status({ agents: [], startedAt: "2026-11-30T19:00:00.000Z", tunnels: [tunnel("7", 5)] }), 2_000);
  assert.deepEqual(ids(model), []);
  assert.deepEqual(model.seen().gone, ["1", "2"]);
  assert.equal(model.tunnels[0]?.rate, undefined, "it is another tunnel");
});

Deno.test("rates of tunnels are those between two answers, and one without progress while bytes wait is told after ten seconds", () => {
  const model = new Model();
  const agents = [agent("1")];
  const stuck = tunnel("8", 50, { waitsFor: "client", queuedBytes: 9 });
  model.take(status({ agents, tunnels: [tunnel("7", 100), stuck] }), 0);
  model.take(status({ agents, tunnels: [tunnel("7", 2_100), stuck] }), 2_000);
  assert.deepEqual(model.tunnels.map(({ rate }) => rate?.sent), [1_000, 0]);
  assert.deepEqual(model.seen().waiting, []);
  model.take(status({ agents, tunnels: [tunnel("7", 2_100), stuck] }), 12_000);
  assert.deepEqual(model.seen().waiting, [{ destination: "d8:1", whom: "client", queuedBytes: 9, seconds: 12 }]);
});

Deno.test("the map shows the largest and gathers the others, whose edges lead to one node", () => {
  const model = new Model();
  const agents = Array.from({ length: 2_000 }, (_, at) => agent(`${at}`, at));
  const tunnels = Array.from({ length: 500 }, (_, at) => tunnel(`${at}`, 0, { agent: `${at}` }));
  model.take(status({ agents, tunnels }), 0);
  const { columns, edges } = flowMap(model, 8);
  assert.deepEqual(columns.map(({ title, nodes }) => `${title} ${nodes.length}`), [
    "Clients 1",
    "Server 1",
    "Agents 8",
    "Destinations 8",
  ]);
  assert.equal(columns[2]?.nodes[0]?.label, "1999");
  assert.equal(columns[2]?.nodes.at(-1)?.label, "1,993 more agents");
  const nodes = new Set(columns.flatMap(({ nodes }) => nodes.map(({ key }) => key)));
  assert.deepEqual(edges.filter(({ from, to }) => !nodes.has(from) || !nodes.has(to)), []);
  assert.ok(edges.length < 100);
});
