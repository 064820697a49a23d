import { AgentService as AgentDescriptor } from "../../../gen/agent/agent_pb.ts";
import { ProxyService as ProxyDescriptor } from "../../../gen/client/client_pb.ts";
import { getLogger } from "@logtape/logtape";
import { bytesReadSoFar } from "../../runtime/memory/read_meter.ts";
import { exportsTraces } from "../../runtime/telemetry.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { virtualMemory } from "../../runtime/memory/virtual_memory.ts";
import type { Descriptors } from "../../net/edge/descriptors.ts";
import { keepaliveTimeoutMs } from "../../net/http2/keepalive.ts";
import type { TlsFiles } from "../../net/tls/tls_files.ts";
import type { ServerTls } from "../../net/tls/tls_server.ts";
import { type WatchedTls, watchTls } from "../../net/tls/tls_watch.ts";
import { follow, ownerOf } from "../../faults/owned.ts";
import { GrowthBudget } from "../../streams/growth_budget.ts";
import { trimWhenIdle } from "../../runtime/memory/idle_heap_trimmer.ts";
import { watchEventLoop } from "../../metrics/event_loop.ts";
import { type EventOutlet, noOutlet } from "../../ops/events/program_event.ts";
import { ServerEventFeed } from "../../ops/events/server_event_feed.ts";
import type { ServerLeaseReport } from "../../ops/status/lease_status.ts";
import type { ProgramFacts } from "../../ops/status/program_status.ts";
import { RecentFailures } from "../../ops/status/recent_failures.ts";
import { healthMethods, healthRoutes, HealthStatus } from "../../ops/grpc_health.ts";
import { createServerMetrics, type ServerMetrics } from "../../metrics/server_metrics.ts";
import { AllowedNames } from "../../wire/destination/allowed_names.ts";
import { DialPolicy } from "../../server/dial_policy.ts";
import type { DialTracer } from "../../server/dial_record.ts";
import type { AuditSink } from "../../server/audit_trail.ts";
import { ProxyServer } from "../../server/proxy_server.ts";
import { clientRules, destinationLists } from "../destination_flags.ts";
import { parseProxyStrategies } from "./proxy_strategies.ts";
import { memoryLimit } from "../memory_limit.ts";
import { boundMemory } from "../process_memory.ts";
import type { ServerKube } from "./server_kube.ts";
import type { ListenerSharing } from "./server_addresses.ts";
import {
  callRefused,
  type CommonServices,
  listenAgents,
  type ListenerName,
  listenFrontend,
  type ServerListener,
} from "./server_listeners.ts";
import { reporting } from "./server_reports.ts";
import { peerKey } from "../../server/frontends/rpc_routes.ts";
import type { ServerOptions } from "./server_options.ts";
import { needsKubernetes } from "./server_validation.ts";
import { tlsPolicy } from "./tls_policy.ts";
import { version } from "../version.ts";

const log = getLogger(["server"]);

/** How often a stopping server looks whether what it waits for has happened. */
const pollMs = 20;

/** How long agents may take to end their links once their tunnels are closed. */
const lastWordsMs = 1_000;

/** Clients receive this text at the end of their tunnels. */
const shutdownText = "proxy server is shutting down";

/** A proxy-server's listeners. */
export interface ServerListeners extends AsyncDisposable {
  readonly frontend: ServerListener;
  readonly agents: ServerListener;
  /** As in {@link RunningServer.stop}; the listeners stay until they are disposed of. */
  stop(graceMs: number): Promise<void>;
}

/** A proxy-server that is complete but for its listeners: whoever composes it has other things to open first. */
export interface ServerComposition extends AsyncDisposable {
  readonly server: ProxyServer;
  readonly metrics: ServerMetrics;
  /** The last dials that failed. */
  readonly failures: RecentFailures;
  /** What is known of leases; absent where the server holds none. */
  readonly leases?: () => ServerLeaseReport;
  /** To be called when somebody begins to watch other events than before. */
  watched(): void;
  /** When each certificate ends, in seconds since the epoch. */
  certificates(): ReturnType<ProgramFacts["certificates"]>;
  /**
   * Opens the frontend and the agents' listener; agents may come now.
   * @throws {ListenError} naming the address and the cause
   */
  listen(sharing?: ListenerSharing): Promise<ServerListeners>;
}

/** How a server is composed beside its options. */
export interface PrepareOptions {
  /** Called when {@link ProxyServer.notReady} may have changed. */
  readonly onReadiness?: () => void;
  /** Takes the lines of the audit log; absent: there is none. */
  readonly audit?: AuditSink | undefined;
  /** Takes the events that somebody watches; absent: nobody can. */
  readonly outlet?: EventOutlet;
  /** Whether it is one of several in its process, whose command shows what they share. */
  readonly isWorker?: boolean;
}

/**
 * Composes a proxy-server from validated options.
 * @param descriptors of the process
 * @throws {TlsFilesError} naming the file and the cause; {@link KubeConfigError}
 */
export async function prepareServer(
  options: ServerOptions,
  descriptors: Descriptors,
  { onReadiness = () => {}, audit, outlet = noOutlet, isWorker = false }: PrepareOptions = {},
): Promise<ServerComposition> {
  await using undo = new AsyncDisposableStack();
  const strategies = parseProxyStrategies(options.proxyStrategies);
  const memory = await boundMemory(options.workers);
  const metrics = createServerMetrics(() => server, {
    strategies,
    probeDestinations: options.probeDestinations,
    version,
    grpcClients: options.mode === "grpc",
    perAgent: options.perAgentMetrics,
    ...(isWorker ? {} : { process: { descriptors, virtualMemory, memoryLimit: await memoryLimit() } }),
  });
  const failures = new RecentFailures();
  const feed = new ServerEventFeed(outlet, systemClock.timeOfDay);
  const kube = needsKubernetes(options) ? undo.use(await kubeFor(options, metrics)) : undefined;
  const tracer = exportsTraces() ? await tracerOf(version) : undefined;
  const server: ProxyServer = new ProxyServer({
    serverId: options.serverId,
    serverCount: () => options.serverCount,
    strategies,
    dialTimeoutMs: options.backendDialTimeoutMs,
    maxLinkAgeMs: options.maxLinkAgeMs,
    keepalive: { timeMs: options.keepaliveTimeMs, timeoutMs: keepaliveTimeoutMs },
    clock: systemClock,
    events: reporting(metrics.events, failures, feed),
    growth: new GrowthBudget(memory.windowGrowthBytes),
    ...(options.clientAllowedNames.length === 0 ? {} : { clientNames: new AllowedNames(options.clientAllowedNames) }),
    ...(options.agentAllowedNames.length === 0 ? {} : { agentNames: new AllowedNames(options.agentAllowedNames) }),
    policy: new DialPolicy({
      lists: destinationLists(options.destinations, options.denyDestinations),
      clients: clientRules(options.clientDestinations),
    }),
    bindIdentifiers: options.bindIdentifiers,
    probes: {
      destinations: options.probeDestinations,
      intervalMs: options.probeIntervalMs,
      timeoutMs: options.probeTimeoutMs,
      readiness: options.probeReadiness,
      events: metrics.probeEvents,
    },
    ...(audit === undefined ? {} : { audit }),
    ...(tracer === undefined ? {} : { tracer }),
    ...(kube?.authenticate === undefined ? {} : { authenticate: kube.authenticate }),
    onChange: () => {
      frontendHealth.changed();
      agentHealth.changed();
      onReadiness();
    },
  });
  const watchRefused = (listener: ListenerName) => callRefused(listener, metrics.listenerEvents);
  const frontendHealth = new HealthStatus({
    services: [ProxyDescriptor.typeName],
    serving: () => server.notReady === undefined,
    onWatchRefused: (peer) => watchRefused("client")("watches", peer),
  });
  const agentHealth = new HealthStatus({
    services: [AgentDescriptor.typeName],
    serving: () => !server.draining,
    onWatchRefused: (peer) => watchRefused("agent")("watches", peer),
  });
  undo.use(watchEventLoop((seconds) => metrics.eventLoopDelay.observe(seconds)));
  undo.use(trimWhenIdle(bytesReadSoFar));
  const frontendTls = options.udsName === ""
    ? await tlsFor(options, { cert: options.serverCert, key: options.serverKey, ca: options.serverCaCert }, undo)
    : undefined;
  const clusterTls = await tlsFor(
    options,
    { cert: options.clusterCert, key: options.clusterKey, ca: options.clusterCaCert },
    undo,
  );
  if (frontendTls !== undefined) metrics.certificateExpiry("server", () => frontendTls.files.expirySeconds);
  metrics.certificateExpiry("cluster", () => clusterTls.files.expirySeconds);
  const resources = undo.move();
  return {
    server,
    metrics,
    failures,
    ...(kube?.leases === undefined ? {} : { leases: kube.leases }),
    watched: () => follow(ownerOf("request"), feed.settle(server.pool.all())),
    certificates: () => [
      { name: "server", expirySeconds: frontendTls?.files.expirySeconds },
      { name: "cluster", expirySeconds: clusterTls.files.expirySeconds },
    ],
    async listen(sharing) {
      await using opened = new AsyncDisposableStack();
      const context = {
        clock: systemClock,
        events: { ...metrics.listenerEvents, connectionRefused: metrics.connectionRefused },
        descriptors,
        streamWindowBytes: memory.streamWindowBytes,
        ...(sharing === undefined ? {} : { sharing }),
      };
      const frontend = opened.use(
        await listenFrontend(
          options,
          server,
          frontendTls,
          healthOf(frontendHealth),
          context,
        ),
      );
      const agents = opened.use(
        await listenAgents(
          options,
          server,
          clusterTls,
          healthOf(agentHealth),
          context,
        ),
      );
      kube?.announce();
      opened.defer(() => server.probes.stop());
      server.probes.start();
      const listeners = opened.move();
      return {
        frontend,
        agents,
        async stop(graceMs) {
          server.drain();
          frontend.drain();
          for (const backend of server.pool.all()) backend.sendDrain();
          // Agents that count leases look for another server from now on.
          const withdrawn = kube?.withdraw();
          if (graceMs > 0 && server.establishedTunnels > 0) {
            log.info("waiting for {tunnels} tunnels, {milliseconds} ms at most", {
              tunnels: server.establishedTunnels,
              milliseconds: graceMs,
            });
          }
          await until(() => server.establishedTunnels + server.pendingDials === 0, graceMs);
          server.closeTunnels(shutdownText);
          for (const backend of [...server.pool.all()]) backend.close();
          await until(() => server.pool.size === 0, lastWordsMs);
          await withdrawn;
        },
        [Symbol.asyncDispose]: () => listeners.disposeAsync(),
      };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Code for the Kubernetes API is loaded only where it is used. */
async function kubeFor(options: ServerOptions, metrics: ServerMetrics): Promise<ServerKube> {
  const { openServerKube } = await import("./server_kube.ts");
  const events = { leases: metrics.leaseEvents, tokens: metrics.tokenEvents };
  return await openServerKube(options, events, systemClock);
}

/** Code for traces is loaded only where they are exported. */
async function tracerOf(version: string): Promise<DialTracer> {
  const { ServerTracer } = await import("../../tracing/server_tracer.ts");
  return new ServerTracer(version);
}

/** What a listener says of its health, to every kind of caller. */
function healthOf(health: HealthStatus): CommonServices {
  return {
    messages: healthMethods(health),
    routes: (router) => healthRoutes(router, health, ({ values }) => values.get(peerKey)),
  };
}

async function tlsFor(options: ServerOptions, files: TlsFiles, undo: AsyncDisposableStack): Promise<ServerTls> {
  const watched: WatchedTls = undo.use(await watchTls(files, systemClock));
  const { minVersion, tls12Suites } = tlsPolicy(options.tlsMinVersion, options.cipherSuites);
  const cipherSuites = tls12Suites?.flatMap(({ name, opensslName }) => [name, opensslName]);
  const { closeRevoked } = options;
  return {
    files: watched,
    minVersion,
    closeRevoked,
    ...(cipherSuites === undefined ? {} : { cipherSuites: new Set(cipherSuites) }),
  };
}

/** Waits until a condition holds, for `limitMs` at most. */
async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, pollMs));
}
