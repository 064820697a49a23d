import assert from "node:assert/strict";
import type { AgentGauges, AgentSegment } from "../../../src/agent/agent_events.ts";
import type { ServerGauges, ServerSegment } from "../../../src/server/server_events.ts";
import { PacketCounts } from "../../../src/wire/packet_counts.ts";

/** What the names of each program's metrics begin with. */
export const server = "konnectivity_network_proxy_server_";
export const agent = "konnectivity_network_proxy_agent_";
export const client = "konnectivity_network_proxy_client_";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What a server that does nothing has in its tables; a test changes them. */
export function serverTables(): Mutable<ServerGauges> & { packets: Record<ServerSegment, PacketCounts> } {
  return {
    proxyCalls: 0,
    connectCalls: 0,
    linksOpened: 0,
    connectRequests: 0,
    pendingDials: 0,
    establishedTunnels: 0,
    heldClientStreams: 0,
    heldAgentStreams: 0,
    queuedBytes: 0,
    readyBackends: () => 0,
    backends: () => [],
    probeReports: () => [],
    packets: {
      from_client: new PacketCounts(),
      to_client: new PacketCounts(),
      from_agent: new PacketCounts(),
      to_agent: new PacketCounts(),
    },
  };
}

/** The same of an agent. */
export function agentTables(): Mutable<AgentGauges> & { packets: Record<AgentSegment, PacketCounts> } {
  return {
    serverConnections: 0,
    knownServerCount: 0,
    endpointConnections: 0,
    pendingDials: 0,
    queuedBytes: 0,
    servers: () => [],
    packets: { from_agent: new PacketCounts(), to_agent: new PacketCounts() },
  };
}

/** Every series of a scrape with its value. */
export function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    assert.ok(!values.has(line.slice(0, space)), `${line} is there once`);
    values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}

/** Comments and series of a recorded scrape, without values. */
export async function recorded(name: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(`../../../src/metrics/testdata/${name}`, import.meta.url));
  return text.trimEnd().split("\n").map((line) => line.startsWith("#") ? line : line.replace(/ \S+$/, " "));
}
