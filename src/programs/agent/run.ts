import { getLogger } from "@logtape/logtape";
import { isIP } from "node:net";
import { follow, ownerOf } from "../../faults/owned.ts";
import { dialGuard } from "../../agent/dial_guard.ts";
import type { KeepaliveOptions } from "../../liveness/keepalive.ts";
import type { AgentTracer } from "../../agent/dial_span.ts";
import { ProxyAgent } from "../../agent/proxy_agent.ts";
import { ServerAddresses } from "../../agent/servers/server_addresses.ts";
import { dialContext } from "../../dial/connector.ts";
import { type ProxyFor, readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import { DialAdmission } from "../../net/edge/admission.ts";
import { countedDialler } from "../../net/tcp/counted_dialler.ts";
import { dialTcp } from "../../net/tcp/dial_tcp.ts";
import { readBoundedFile } from "../../runtime/files/bounded_file.ts";
import { bytesReadSoFar } from "../../runtime/memory/read_meter.ts";
import { exportsTraces } from "../../runtime/telemetry.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { virtualMemory } from "../../runtime/memory/virtual_memory.ts";
import { watchTls } from "../../net/tls/tls_watch.ts";
import { agentAdminApp, profilingOptions } from "../../ops/admin.ts";
import { type AgentMetrics, createAgentMetrics } from "../../metrics/agent_metrics.ts";
import { GrowthBudget } from "../../streams/growth_budget.ts";
import { trimWhenIdle } from "../../runtime/memory/idle_heap_trimmer.ts";
import { watchEventLoop } from "../../metrics/event_loop.ts";
import { agentEvents } from "../../ops/events/agent_event.ts";
import { EventHub } from "../../ops/events/event_hub.ts";
import { AgentStatusReader } from "../../ops/status/agent_status.ts";
import { RecentFailures } from "../../ops/status/recent_failures.ts";
import { agentHealthApp } from "../../ops/health.ts";
import type { HttpServer } from "../../net/pages/http_server.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { PacketCounts } from "../../wire/packet_counts.ts";
import { agentLinks } from "./agent_links.ts";
import { reporting } from "./agent_reports.ts";
import type { RunningCounter } from "./agent_leases.ts";
import type { AgentOptions } from "./agent_options.ts";
import { destinationLists } from "../destination_flags.ts";
import { isLocalAddress } from "../local_addresses.ts";
import { openPages, pagesListener } from "../pages_ports.ts";
import { agentPools, processDescriptors } from "../process_descriptors.ts";
import { memoryLimit } from "../memory_limit.ts";
import { boundMemory, logMemoryLimit } from "../process_memory.ts";
import { endingSignals } from "../signals.ts";
import { version } from "../version.ts";

const log = getLogger(["agent"]);

/** How long a server may take to show that it lives, in milliseconds. */
const keepaliveTimeoutMs = 10_000;

/** How long the addresses of a server's name are waited for, in milliseconds; those that were known serve meanwhile. */
const resolveMs = 20_000;

/** gRPC raises a keepalive below 10 s to that. */
const minKeepaliveMs = 10_000;

/** A proxy-agent that runs. */
export interface RunningAgent extends AsyncDisposable {
  readonly agent: ProxyAgent;
  readonly health: HttpServer;
  readonly admin: HttpServer;
}

/**
 * Composes and starts a proxy-agent from validated options. Its health and admin ports are open before it connects, or
 * once they are free: an agent that takes over from another one on its machine's network serves meanwhile.
 * @param env reads an environment variable: which proxy is between the agent and its servers
 * @throws {ProxySettingsError} {@link TlsFilesError} {@link ListenError} naming the variable, file or address and the cause
 * @throws {KubeConfigError} when leases should be counted and it is not known how to reach the API
 */
export async function startAgent(
  options: AgentOptions,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<RunningAgent> {
  const proxyFor = readProxySettings(env);
  await using undo = new AsyncDisposableStack();
  const tls = undo.use(
    await watchTls(
      { ca: options.caCert, cert: options.agentCert, key: options.agentKey },
      systemClock,
      undefined,
      "client",
    ),
  );
  const packets = { from_agent: new PacketCounts(), to_agent: new PacketCounts() };
  const { descriptors } = undo.use(await processDescriptors(agentPools));
  await logMemoryLimit();
  const memory = await boundMemory();
  const metrics: AgentMetrics = createAgentMetrics(() => agent, {
    version,
    process: { descriptors, virtualMemory, memoryLimit: await memoryLimit() },
  });
  metrics.certificateExpiry("agent", () => tls.expirySeconds);
  const counted = options.countServerLeases ? await leaseCounter(options, metrics, undo) : undefined;
  const servers = new ServerAddresses(options.proxyServerHosts, options.proxyServerPort);
  const listeners: HttpServer[] = [];
  const failures = new RecentFailures();
  const notReady = (): string | undefined => agent.ready ? undefined : "no servers connected";
  const events = new EventHub({
    facts: { name: "proxy-agent", version, notReady },
    id: options.agentId,
    vocabulary: agentEvents,
    clock: systemClock,
  });
  const refusal = dialGuard({
    lists: destinationLists(options.destinations, options.denyDestinations),
    ownPorts: () => listeners.map(({ port }) => port),
    isLocal: isLocalAddress,
    servers,
  });
  const destinations = dialContext("destinations", systemClock);
  const tracer = exportsTraces() ? await tracerOf(version) : undefined;
  const agent: ProxyAgent = new ProxyAgent({
    dial: countedDialler(
      (network, address, dialOptions) => dialTcp(network, address, { ...dialOptions, refusal }, destinations),
      new DialAdmission(descriptors, metrics),
    ),
    clock: systemClock,
    growth: new GrowthBudget(memory.windowGrowthBytes),
    events: reporting(metrics.events, failures, events, systemClock),
    packets,
    ...(tracer === undefined ? {} : { tracer }),
    servers: {
      hosts: options.proxyServerHosts,
      port: options.proxyServerPort,
      identity: {
        agentId: options.agentId,
        identifiers: options.agentIdentifiers,
        traces: tracer !== undefined,
        ...(options.serviceAccountTokenPath === "" ? {} : {
          readToken: () => readToken(options.serviceAccountTokenPath),
        }),
      },
      transport: agentLinks({
        clock: systemClock,
        tls: () => tls.material,
        alpnProtocols: options.alpnProto,
        direct: options.linkProtocol !== "grpc",
        proxyFor,
        counts: { received: packets.to_agent, sent: packets.from_agent },
      }),
      resolve: (host) => resolve(host, options.proxyServerPort, servers, proxyFor),
      syncIntervalMs: options.syncIntervalMs,
      syncIntervalCapMs: options.syncIntervalCapMs,
      syncForever: options.syncForever,
      keepalive: keepaliveOf(options),
      maxLinkAgeMs: options.maxLinkAgeMs,
      countSource: options.serverCountSource === "max" ? "max" : "default",
      ...(counted === undefined ? {} : { counter: counted.counter }),
    },
  });
  undo.defer(() => agent.destroy());
  undo.use(watchEventLoop((seconds) => metrics.eventLoopDelay.observe(seconds)));
  undo.use(trimWhenIdle(bytesReadSoFar));
  const set = agent.serverSet;
  const status = new AgentStatusReader({
    facts: {
      name: "proxy-agent",
      version,
      notReady,
      draining: () => agent.draining,
      certificates: () => [{ name: "agent", expirySeconds: tls.expirySeconds }],
      listeners: () => [
        ...pagesListener("health", options.healthServerHost, health.port),
        ...pagesListener("admin", options.adminBindAddress, admin.port),
      ],
    },
    agent: { id: options.agentId, identifiers: options.agentIdentifiers },
    now: () => systemClock.now(),
    serverCount: () => set.serverCount,
    ...(counted === undefined ? {} : { leases: () => counted.report() }),
    routes: () => set.routes,
    connections: () => set.connections.values(),
    retired: () => set.retired,
    proxyOf: (host) => proxyFor(host, options.proxyServerPort)?.shown,
    failures,
  });
  const health: HttpServer = undo.use(
    await openPages(
      "health",
      { host: options.healthServerHost, port: options.healthServerPort },
      agentHealthApp({
        liveness: () => descriptors.lastingExhaustion(systemClock),
        readiness: notReady,
        metrics,
      }),
      descriptors,
      metrics,
    ),
  );
  const admin: HttpServer = undo.use(
    await openPages(
      "admin",
      { host: options.adminBindAddress, port: options.adminServerPort },
      agentAdminApp({
        healthHost: options.healthServerHost,
        healthPort: health.port,
        status: async (query) => JSON.stringify(await status.read(query)),
        events,
        profiling: profilingOptions(options),
      }),
      descriptors,
      metrics,
    ),
  );
  // Ended before the port, which would wait for whoever watches.
  undo.use(events);
  listeners.push(health, admin);
  for (const host of options.proxyServerHosts) {
    const proxy = proxyFor(host, options.proxyServerPort)?.shown;
    if (proxy !== undefined) log.info("server {host} is reached through proxy {proxy}", { host, proxy });
  }
  agent.start();
  const resources = undo.move();
  return { agent, health, admin, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Runs proxy-agent until it has drained, or until a second signal ends it. @returns the exit code */
export async function runAgent(options: AgentOptions): Promise<number> {
  using signals = endingSignals();
  let running: RunningAgent;
  try {
    running = await startAgent(options);
  } catch (error) {
    log.error("failed to run the proxy agent: {reason}", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return 1;
  }
  await using _running = running;
  const { agent } = running;
  log.info("proxy agent {agentId} runs", { agentId: options.agentId });
  const drained = signals.first.then((signal) => {
    log.info("{signal}: draining, {tunnels} connections are open", { signal, tunnels: agent.endpointConnections });
    agent.drain(options.drainTimeoutMs);
  });
  const dropped = signals.second.then((signal) => {
    log.info("{signal} again: ending now", { signal });
    return agent.destroy();
  });
  // An agent that cannot drain ends at once.
  const owner = ownerOf("signal", () => follow(ownerOf("agent"), agent.destroy()));
  follow(owner, drained);
  follow(owner, dropped);
  await agent.closed;
  return 0;
}

/** Code for the Kubernetes API is loaded only where it is used. */
async function leaseCounter(
  options: AgentOptions,
  metrics: AgentMetrics,
  undo: AsyncDisposableStack,
): Promise<RunningCounter> {
  const { countLeases } = await import("./agent_leases.ts");
  return undo.use(await countLeases(options, metrics.leaseEvents, systemClock));
}

function keepaliveOf(options: AgentOptions): KeepaliveOptions {
  const timeMs = options.keepaliveTimeMs === 0 ? 0 : Math.max(options.keepaliveTimeMs, minKeepaliveMs);
  return { timeMs, timeoutMs: keepaliveTimeoutMs };
}

async function readToken(path: string): Promise<string> {
  try {
    return await readBoundedFile(path, systemClock);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot read the service account token ${path}: ${why}`, { cause });
  }
}

/**
 * The addresses of a host. Where the permissions name the host, its addresses may not be dialled by themselves, so that the
 * host remains the one way to it. A proxy resolves what it is asked for, and may be the only one that can.
 */
async function resolve(host: string, port: number, servers: ServerAddresses, proxyFor: ProxyFor): Promise<string[]> {
  if (isIP(host) !== 0 || proxyFor(host, port) !== undefined) return [host];
  const { resolver } = dialContext("links", systemClock);
  const found = await resolver.lookup(host, {
    family: 0,
    port,
    complete: true,
    signal: AbortSignal.timeout(resolveMs),
  });
  servers.resolved(host, found);
  for (const address of found) {
    const { state } = await Deno.permissions.query({ name: "net", host: formatHostPort(address, port) });
    if (state !== "granted") return [host];
  }
  return [...found];
}

/** Code for traces is loaded only where they are exported. */
async function tracerOf(version: string): Promise<AgentTracer> {
  const { AgentDialTracer } = await import("../../tracing/agent_tracer.ts");
  return new AgentDialTracer(version);
}
