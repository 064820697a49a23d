import { AgentService as AgentDescriptor } from "../../gen/agent/agent_pb.ts";
import { ProxyService as ProxyDescriptor } from "../../gen/client/client_pb.ts";
import { getLogger } from "@logtape/logtape";
import { bytesReadSoFar } from "../net/read_meter.ts";
import type { TlsFiles } from "../net/tls_files.ts";
import type { ServerTls } from "../net/tls_server.ts";
import { type WatchedTls, watchTls } from "../net/tls_watch.ts";
import { watchCalmHeap } from "../ops/calm_heap.ts";
import { watchEventLoop } from "../ops/event_loop.ts";
import { healthRoutes, HealthStatus } from "../ops/grpc_health.ts";
import type { ServerLeaseEvents } from "../ops/lease_events.ts";
import { createServerMetrics, type ServerMetrics } from "../ops/server_metrics.ts";
import { ProxyServer } from "../server/proxy_server.ts";
import { parseProxyStrategies } from "./proxy_strategies.ts";
import type { ServerKube } from "./server_kube.ts";
import type { ListenerSharing } from "./server_addresses.ts";
import { listenAgents, listenFrontend, type ServerListener } from "./server_listeners.ts";
import type { ServerOptions } from "./server_options.ts";
import { needsKubernetes } from "./server_validation.ts";
import { tlsPolicy } from "./tls_policy.ts";
import { version } from "./version.ts";

const log = getLogger(["server"]);

/** How often a stopping server looks whether what it waits for has happened. */
const pollMs = 20;

/** How long agents may take to end their links once their tunnels are closed. */
const lastWordsMs = 1_000;

/** Clients are told of the end of their tunnels with this text. */
const shutdownText = "proxy server is shutting down";

/** A proxy-server's listeners. */
export interface ServerListeners extends AsyncDisposable {
  readonly frontend: ServerListener;
  readonly agents: ServerListener;
  /** As in {@link RunningServer.stop}; the listeners stay until they are disposed of. */
  stop(graceMs: number): Promise<void>;
}

/** A proxy-server that is complete but for its listeners: whoever composes it has other things to open first. */
export interface PreparedServer extends AsyncDisposable {
  readonly server: ProxyServer;
  readonly metrics: ServerMetrics;
  /**
   * Opens the frontend and the agents' listener; agents may come now.
   * @throws {ListenError} naming the address and the cause
   */
  listen(sharing?: ListenerSharing): Promise<ServerListeners>;
}

/**
 * Composes a proxy-server from validated options.
 * @param onReadiness called when {@link ProxyServer.notReady} may have changed
 * @throws {TlsFilesError} naming the file and the cause; {@link KubeConfigError}
 */
export async function prepareServer(
  options: ServerOptions,
  onReadiness: () => void = () => {},
): Promise<PreparedServer> {
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
      onReadiness();
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
  const resources = undo.move();
  return {
    server,
    metrics,
    async listen(sharing) {
      await using opened = new AsyncDisposableStack();
      const frontend = opened.use(
        await listenFrontend(options, server, frontendTls, (router) => healthRoutes(router, frontendHealth), sharing),
      );
      const agents = opened.use(
        await listenAgents(options, server, clusterTls, (router) => healthRoutes(router, agentHealth), sharing),
      );
      kube?.announce();
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
