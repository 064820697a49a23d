import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type AgentEvents, noAgentEvents } from "../agent/agent_events.ts";
import { systemClock } from "../agent/clock.ts";
import { ProxyAgent } from "../agent/proxy_agent.ts";
import type { KeepaliveOptions } from "../agent/keepalive.ts";
import { dialTcp } from "../net/dial_tcp.ts";
import { watchTls } from "../net/tls_watch.ts";
import { PacketCounts } from "../wire/packet_counts.ts";
import { grpcLinks } from "./agent_links.ts";
import type { AgentOptions } from "./agent_options.ts";
import { endingSignals } from "./signals.ts";

/** How long a server may take to answer that it lives, in milliseconds. */
const keepaliveTimeoutMs = 10_000;

/** Runs proxy-agent until it ends. @returns the exit code */
export async function runAgent(options: AgentOptions): Promise<number> {
  using signals = endingSignals();
  await using running = await startAgent(options, noAgentEvents);
  const { agent } = running;
  void signals.first.then(() => agent.drain(options.drainTimeoutMs));
  void signals.second.then(() => agent.destroy());
  await agent.closed;
  return 0;
}

/** An agent that runs, and what belongs to it. */
export interface RunningAgent extends AsyncDisposable {
  readonly agent: ProxyAgent;
}

/**
 * Composes and starts an agent.
 * @throws {TlsFilesError} when its certificates cannot be used
 */
export async function startAgent(options: AgentOptions, events: AgentEvents): Promise<RunningAgent> {
  const tls = await watchTls({ ca: options.caCert, cert: options.agentCert, key: options.agentKey });
  const packets = { from_agent: new PacketCounts(), to_agent: new PacketCounts() };
  const agent = new ProxyAgent({
    dial: dialTcp,
    clock: systemClock,
    events,
    packets,
    servers: {
      hosts: options.proxyServerHosts,
      port: options.proxyServerPort,
      identity: {
        agentId: options.agentId,
        identifiers: options.agentIdentifiers,
        ...(options.serviceAccountTokenPath === "" ? {} : {
          readToken: () => readToken(options.serviceAccountTokenPath),
        }),
      },
      transport: grpcLinks({
        tls: () => tls.material,
        alpnProtocols: options.alpnProto,
        counts: { received: packets.to_agent, sent: packets.from_agent },
      }),
      resolve,
      syncIntervalMs: options.syncIntervalMs,
      syncIntervalCapMs: options.syncIntervalCapMs,
      syncForever: options.syncForever,
      keepalive: keepaliveOf(options),
      countSource: options.serverCountSource === "max" ? "max" : "default",
    },
  });
  agent.start();
  return {
    agent,
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      await tls[Symbol.asyncDispose]();
    },
  };
}

/** gRPC raises a keepalive below 10 s to that. */
const minKeepaliveMs = 10_000;

function keepaliveOf(options: AgentOptions): KeepaliveOptions {
  const timeMs = options.keepaliveTimeMs === 0 ? 0 : Math.max(options.keepaliveTimeMs, minKeepaliveMs);
  return { timeMs, timeoutMs: keepaliveTimeoutMs };
}

async function readToken(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot read the service account token ${path}: ${why}`, { cause });
  }
}

async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
