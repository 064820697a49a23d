import { getLogger } from "@logtape/logtape";
import { AgentService as AgentDescriptor } from "../../gen/agent/agent_pb.ts";
import { ProxyService as ProxyDescriptor } from "../../gen/client/client_pb.ts";
import { bytesReadSoFar } from "../net/read_meter.ts";
import type { TlsFiles } from "../net/tls_files.ts";
import type { ServerTls } from "../net/tls_server.ts";
import { type WatchedTls, watchTls } from "../net/tls_watch.ts";
import { ProxyServer } from "../server/proxy_server.ts";
import { serverAdminApp } from "../ops/admin.ts";
import { watchCalmHeap } from "../ops/calm_heap.ts";
import { watchEventLoop } from "../ops/event_loop.ts";
import { healthRoutes, HealthStatus } from "../ops/grpc_health.ts";
import { serverHealthApp } from "../ops/health.ts";
import { type HttpServer, serveHttp } from "../ops/http_server.ts";
import type { ServerLeaseEvents } from "../ops/lease_events.ts";
import { createServerMetrics } from "../ops/server_metrics.ts";
import { parseProxyStrategies } from "./proxy_strategies.ts";
import { listenAgents, listenFrontend, type ServerListener } from "./server_listeners.ts";
import type { ServerKube } from "./server_kube.ts";
import type { ServerOptions } from "./server_options.ts";
import { needsKubernetes } from "./server_validation.ts";
import { endingSignals } from "./signals.ts";
import { tlsPolicy } from "./tls_policy.ts";
import { version } from "./version.ts";

const log = getLogger(["server"]);

/** How often a stopping server looks whether what it waits for has happened. */
const pollMs = 20;

/** How long agents may take to end their links once their tunnels are closed. */
const lastWordsMs = 1_000;

/** Clients are told of the end of their tunnels with this text. */
const shutdownText = "proxy server is shutting down";

/** A proxy-server that runs. */
export interface RunningServer extends AsyncDisposable {
  readonly server: ProxyServer;
  readonly frontend: ServerListener;
  readonly agents: ServerListener;
  readonly health: HttpServer;
  readonly admin: HttpServer;
  /**
   * Stops: readiness fails, new dials and agents are refused, agents are told; tunnels run on for `graceMs` at most, then
   * they are closed and their clients told.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Composes and starts a proxy-server from validated options.
 * @throws {TlsFilesError} {@link ListenError} naming the file or address and the cause; {@link KubeConfigError}
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await using undo = new AsyncDisposableStack();
  const strategies = parseProxyStrategies(options.proxyStrategies);
  const metrics = createServerMetrics(() => server, { strategies, version });
  const kube = needsKubernetes(options) ? undo.use(await kubeFor(options, metrics.leaseEvents)) : undefined;
  const server: ProxyServer = new ProxyServer({
    serverId: options.serverId,
    serverCount: () => options.serverCount,
    strategies,
    dialTimeoutMs: options.backendDialTimeoutMs,
    events: metrics.events,
    ...(kube?.authenticate === undefined ? {} : { authenticate: kube.authenticate }),
    onChange: () => {
      frontendHealth.changed();
      agentHealth.changed();
    },
  });
  const frontendHealth = new HealthStatus({
    services: [ProxyDescriptor.typeName],
    serving: () => server.notReady === undefined,
  });
  const agentHealth = new HealthStatus({ services: [AgentDescriptor.typeName], serving: () => !server.draining });
  undo.use(watchEventLoop((seconds) => metrics.eventLoopDelay.observe(seconds)));
  undo.use(watchCalmHeap(bytesReadSoFar));
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
  // Health comes first and goes last: a probe sees a server that starts or stops as one that is not ready.
  const health = undo.use(
    await serveHttp(
      { host: options.healthBindAddress, port: options.healthPort },
      serverHealthApp({ readiness: () => server.notReady, metrics }).fetch,
    ),
  );
  const admin = undo.use(
    await serveHttp(
      { host: options.adminBindAddress, port: options.adminPort },
      serverAdminApp({ metrics, profiling: options.enableProfiling }).fetch,
    ),
  );
  const frontend = undo.use(
    await listenFrontend(options, server, frontendTls, (router) => healthRoutes(router, frontendHealth)),
  );
  const agents = undo.use(
    await listenAgents(options, server, clusterTls, (router) => healthRoutes(router, agentHealth)),
  );
  kube?.announce();
  const resources = undo.move();
  return {
    server,
    frontend,
    agents,
    health,
    admin,
    async stop(graceMs) {
      server.drain();
      frontend.drain();
      for (const backend of server.pool.all()) backend.sendDrain();
      // Agents that count leases look for another server from now on.
      const withdrawn = kube?.withdraw();
      log.info("waiting for {tunnels} tunnels, {milliseconds} ms at most", {
        tunnels: server.establishedTunnels,
        milliseconds: graceMs,
      });
      await until(() => server.establishedTunnels + server.pendingDials === 0, graceMs);
      server.closeTunnels(shutdownText);
      for (const backend of [...server.pool.all()]) backend.close();
      await until(() => server.pool.size === 0, lastWordsMs);
      await withdrawn;
      await resources.disposeAsync();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Code for the Kubernetes API is loaded only where it is used. */
async function kubeFor(options: ServerOptions, events: ServerLeaseEvents): Promise<ServerKube> {
  const { openServerKube } = await import("./server_kube.ts");
  return await openServerKube(options, events);
}

async function tlsFor(options: ServerOptions, files: TlsFiles, undo: AsyncDisposableStack): Promise<ServerTls> {
  const watched: WatchedTls = undo.use(await watchTls(files));
  const { minVersion, tls12Suites } = tlsPolicy(options.tlsMinVersion, options.cipherSuites);
  const cipherSuites = tls12Suites?.flatMap(({ name, opensslName }) => [name, opensslName]);
  return { files: watched, minVersion, ...(cipherSuites === undefined ? {} : { cipherSuites: new Set(cipherSuites) }) };
}

/** Waits until a condition holds, for `limitMs` at most. */
async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** Runs proxy-server until a signal ends it. @returns the exit code */
export async function runServer(options: ServerOptions): Promise<number> {
  using signals = endingSignals();
  let running: RunningServer;
  try {
    running = await startServer(options);
  } catch (error) {
    log.error("failed to run the proxy server: {reason}", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return 1;
  }
  log.info("proxy server {serverId} runs", { serverId: options.serverId });
  const stopped = signals.first.then(async (signal) => {
    log.info("{signal}: shutting down", { signal });
    await running.stop(options.gracefulShutdownTimeoutMs);
    return 0;
  });
  return await Promise.race([stopped, signals.second.then(() => 1)]);
}
