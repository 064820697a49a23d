import assert from "node:assert/strict";
import type { AgentStatus } from "../../../src/ops/status/agent_status.ts";
import type { AgentLeases, ServerLeases } from "../../../src/ops/status/lease_status.ts";
import type { AgentEntry, ServerStatus } from "../../../src/ops/status/server_status.ts";
import type { Health, StatusLine } from "../../../src/programs/konnectivity/status/status_line.ts";

const startedAt = "2026-01-01T00:00:00.000Z";
/** A table with nothing in it. */
export const empty = { total: 0, matched: 0, from: 0, items: [] };

/** What is the same in the status of both programs. */
const common = {
  version: 1,
  ready: true,
  draining: false,
  listeners: [{ name: "admin", address: "127.0.0.1:8095", protocol: "http", tls: false }],
  failures: [],
} as const;

/** A certificate that ends in so many days. */
export function certificate(days: number) {
  const expiresInSeconds = days * 86_400;
  return { name: "cluster", expiresAt: "2026-02-01T00:00:00.000Z", expiresInSeconds } as const;
}

/** A link of an agent, as a server shows it. */
export function agent(id: string, changes: Partial<AgentEntry> = {}): AgentEntry {
  return {
    id,
    name: "test client",
    address: "10.0.0.5:4711",
    link: "direct",
    seconds: 3_700,
    roundTripMs: 1.25,
    identifiers: ["default-route=true"],
    identifierCount: 1,
    draining: false,
    stalled: false,
    tunnels: 1,
    dials: 0,
    queuedBytes: 0,
    bytes: { sent: 1, received: 2 },
    rate: { sent: 1_024, received: 2_048 },
    ...changes,
  };
}

/** A table that one page holds. */
export function pageOf<T>(...items: readonly T[]) {
  return { total: items.length, matched: items.length, from: 0, items };
}

/** A sound server. */
export function server(changes: Partial<ServerStatus> = {}): ServerStatus {
  return {
    ...common,
    program: { name: "proxy-server", version: "0.37.0", startedAt, uptimeSeconds: 90_061 },
    certificates: [certificate(300)],
    server: { id: "s1", serverCount: 3, strategies: ["default"] },
    agents: pageOf(agent("a1")),
    tunnels: empty,
    dials: empty,
    probes: [],
    ...changes,
  };
}

/** A sound agent. */
export function agentStatus(changes: Partial<AgentStatus> = {}): AgentStatus {
  return {
    ...common,
    program: { name: "proxy-agent", version: "0.37.0", startedAt, uptimeSeconds: 60 },
    certificates: [certificate(300)],
    agent: { id: "a1", identifiers: "" },
    serverCount: 1,
    routes: [{ host: "s.example", address: "10.0.0.1:8091", state: "linked", links: 1 }],
    links: pageOf({
      server: "s1",
      address: "10.0.0.1:8091",
      link: "direct",
      seconds: 5,
      state: "up",
      tunnels: 0,
      dials: 0,
      queuedBytes: 0,
      bytes: { sent: 0, received: 0 },
      rate: { sent: 0, received: 0 },
    }),
    tunnels: empty,
    dials: empty,
    ...changes,
  };
}

const scope = { namespace: "kube-system", labelSelector: "k8s-app=konnectivity-server" };

/** A lease that counts, of the server with this id. */
function lease(id: string) {
  const name = `konnectivity-proxy-server-${id}`;
  return { namespace: scope.namespace, name, holder: id, endsInSeconds: 20, counts: true };
}

/** The leases that an agent follows: of the servers that it is linked to, and of others. */
export function agentLeases(
  linked: readonly string[],
  missing: readonly string[] = [],
  changes: Partial<AgentLeases> = {},
): AgentLeases {
  const items = [
    ...missing.map((id) => ({ ...lease(id), linked: false })),
    ...linked.map((id) => ({ ...lease(id), linked: true })),
  ];
  return {
    ...scope,
    count: items.length,
    linked: linked.length,
    followed: true,
    items,
    total: items.length,
    withoutLease: [],
    ...changes,
  };
}

/** The leases that a server sees: its own, and those of others. */
export function serverLeases(
  id: string,
  others: readonly string[] = [],
  changes: Partial<ServerLeases> = {},
): ServerLeases {
  const items = [id, ...others].map((each) => ({ ...lease(each), own: each === id }));
  return {
    ...scope,
    own: [{ name: lease(id).name, held: true, renewedSeconds: 4 }],
    count: items.length,
    listedSeconds: 7,
    items,
    total: items.length,
    ...changes,
  };
}

/** The first line of this name. */
export function findLine(line: StatusLine, name: string): StatusLine {
  const all = (each: StatusLine): StatusLine[] => [each, ...(each.children ?? []).flatMap(all)];
  const found = all(line).find((each) => each.name === name);
  return found ?? assert.fail(`no line ${name} in ${JSON.stringify(line)}`);
}

/** Every line that is wrong, or a line above it, says what to do. */
function assertActions(line: StatusLine): void {
  for (const child of line.children ?? []) assertActions(child);
  if (line.health !== "Degraded" && line.health !== "Down") return;
  const below = (each: StatusLine): boolean => each.action !== undefined || (each.children ?? []).some(below);
  const isFailure = /^(no_agent|timeout|error_response)$/.test(line.name);
  assert.ok(below(line) || isFailure, `nothing is to be done about ${JSON.stringify(line)}`);
}

/** A line that is expected of a status. */
export interface LineCase {
  readonly what: string;
  readonly line: StatusLine;
  readonly whole: Health;
  readonly name: string;
  readonly health: Health;
  readonly text: RegExp;
  readonly action?: RegExp;
}

/** Tests each: the line, its health and that of the whole, and what is to be done. */
export function testLines(cases: readonly LineCase[]): void {
  for (const { what, line, whole, name, health, text, action } of cases) {
    Deno.test(`${what}: the line, its health, and what to do`, () => {
      const found = findLine(line, name);
      assert.match(found.text, text);
      assert.equal(found.health, health);
      assert.equal(line.health, whole);
      if (action === undefined) assert.equal(found.action, undefined);
      else assert.match(found.action ?? "", action);
      assertActions(line);
    });
  }
}
