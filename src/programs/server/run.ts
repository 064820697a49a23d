import { getLogger } from "@logtape/logtape";
import { profilingOptions, serverAdminApp } from "../../ops/admin.ts";
import { EventHub } from "../../ops/events/event_hub.ts";
import { serverEvents } from "../../ops/events/server_event.ts";
import { serverHealthApp } from "../../ops/health.ts";
import { ServerStatusReader } from "../../ops/status/server_status.ts";
import type { HttpServer } from "../../net/pages/http_server.ts";
import type { ProxyServer } from "../../server/proxy_server.ts";
import { prepareServer } from "./compose.ts";
import { openServerAudit } from "./server_audit.ts";
import { openPages } from "../pages_ports.ts";
import { noRoomFor, processDescriptors, serverPeers, serverPools } from "../process_descriptors.ts";
import { logMemoryLimit } from "../process_memory.ts";
import type { ServerListener } from "./server_listeners.ts";
import { serverChecks } from "./probes/readiness_checks.ts";
import { serverFacts, serverProgramFacts } from "./server_facts.ts";
import type { ServerOptions } from "./server_options.ts";
import { endingSignals } from "../signals.ts";
import { version } from "../version.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const log = getLogger(["server"]);

/** A proxy-server that runs. */
export interface RunningServer extends AsyncDisposable {
  readonly server: ProxyServer;
  readonly frontend: ServerListener;
  readonly agents: ServerListener;
  readonly health: HttpServer;
  readonly admin: HttpServer;
  /**
   * Stops: readiness fails, new dials and agents are refused, agents are informed; tunnels run on for `graceMs` at most, then
   * they are closed and their clients informed.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Composes and starts a proxy-server from validated options.
 * @throws {TlsFilesError} {@link ListenError} naming the file or address and the cause; {@link KubeConfigError}
 * {@link AuditLogError}
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await using undo = new AsyncDisposableStack();
  // Closed last: tunnels end with the listeners.
  const audit = await openServerAudit(options);
  if (audit !== undefined) undo.use(audit);
  const { descriptors } = undo.use(await processDescriptors(serverPools));
  await logMemoryLimit();
  const notReady = (): string | undefined => server.notReady ?? noRoomFor(serverPeers, descriptors);
  const events: EventHub = new EventHub({
    facts: { name: "proxy-server", version, notReady },
    id: options.serverId,
    vocabulary: serverEvents,
    clock: systemClock,
    onWanted: () => prepared.watched(),
  });
  const prepared = undo.use(
    await prepareServer(options, descriptors, {
      audit: audit?.write,
      outlet: events,
      onReadiness: () => events.readinessChanged(),
    }),
  );
  const { server, metrics, listen } = prepared;
  if (audit !== undefined) metrics.auditLost(() => audit.lost);
  const facts = serverProgramFacts(options, {
    notReady,
    draining: () => server.draining,
    certificates: () => prepared.certificates(),
    ports: () => ({ health: health.port, admin: admin.port }),
  });
  const status = new ServerStatusReader({
    facts,
    server: () => serverFacts(options),
    ...(prepared.leases === undefined ? {} : { leases: prepared.leases }),
    backends: () => server.pool.all(),
    probes: () => server.probeReports(),
    failures: prepared.failures,
  });
  // Health comes first and goes last: a probe sees a server that starts or stops as one that is not ready.
  const health: HttpServer = undo.use(
    await openPages(
      "health",
      { host: options.healthBindAddress, port: options.healthPort },
      serverHealthApp({
        liveness: () => descriptors.lastingExhaustion(systemClock),
        readiness: notReady,
        ...(options.probeDestinations.length === 0
          ? {}
          : { checks: () => serverChecks(server, noRoomFor(serverPeers, descriptors)) }),
        metrics,
      }),
      descriptors,
      metrics,
    ),
  );
  const admin: HttpServer = undo.use(
    await openPages(
      "admin",
      { host: options.adminBindAddress, port: options.adminPort },
      serverAdminApp({
        metrics,
        status: async (query) => JSON.stringify(await status.read(query)),
        events,
        profiling: profilingOptions(options),
      }),
      descriptors,
      metrics,
    ),
  );
  // Ended before the port, which would wait for whoever watches, and behind all that there is to see.
  undo.use(events);
  const { frontend, agents, stop } = undo.use(await listen());
  descriptors.calibrate();
  const resources = undo.move();
  return {
    server,
    frontend,
    agents,
    health,
    admin,
    async stop(graceMs) {
      await stop(graceMs);
      await resources.disposeAsync();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
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
