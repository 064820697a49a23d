import { getLogger } from "@logtape/logtape";
import type { HttpServer } from "../../../net/pages/http_server.ts";
import { requireFree } from "../../../net/tcp/listen.ts";
import { isSameFile, socketFileAt } from "../../../net/tcp/unix_socket.ts";
import { virtualMemory } from "../../../runtime/memory/virtual_memory.ts";
import { profilingOptions, serverAdminApp } from "../../../ops/admin.ts";
import { EventHub } from "../../../ops/events/event_hub.ts";
import type { RelayedEvents } from "../../../ops/events/event_relay.ts";
import type { ProgramEvent } from "../../../ops/events/program_event.ts";
import { serverEvents } from "../../../ops/events/server_event.ts";
import type { StatusQuery } from "../../../ops/status/status_query.ts";
import { workersStatus } from "../../../ops/status/workers_status.ts";
import { serverHealthApp } from "../../../ops/health.ts";
import { WorkerMetrics } from "../../../metrics/worker_metrics.ts";
import { openPages } from "../../pages_ports.ts";
import { noRoomFor, processDescriptors, serverPeers, serverPools } from "../../process_descriptors.ts";
import { memoryLimit } from "../../memory_limit.ts";
import { logMemoryLimit } from "../../process_memory.ts";
import { agentsAddress, frontendAddress } from "../server_addresses.ts";
import { openServerAudit } from "../server_audit.ts";
import { workersChecks } from "../probes/readiness_checks.ts";
import { serverFacts, serverProgramFacts } from "../server_facts.ts";
import type { ServerOptions } from "../server_options.ts";
import { endingSignals } from "../../signals.ts";
import { version } from "../../version.ts";
import { WorkerHandle } from "./worker_handle.ts";
import { liveness } from "./liveness.ts";
import { workerOptions } from "./worker_options.ts";
import { systemClock } from "../../../runtime/system_clock.ts";

const log = getLogger(["server", "workers"]);

/** Servers that run as workers of this process. */
interface RunningWorkers extends AsyncDisposable {
  /** Rejects when a worker ends, which it never should. */
  readonly ended: Promise<never>;
  /** Drains all of them; see `RunningServer.stop`. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts the servers of a command as workers, and around them what there is once a command: health and admin ports, the
 * log, metrics of all.
 * @throws {WorkerError} {@link ListenError} naming what failed
 */
async function startWorkers(options: ServerOptions): Promise<RunningWorkers> {
  await using undo = new AsyncDisposableStack();
  let stopping = false;
  const audit = await openServerAudit(options);
  if (audit !== undefined) undo.use(audit);
  const workers = Array.from(
    { length: options.workers },
    (_, number) =>
      new WorkerHandle(number, Deno.mainModule, {
        ...(audit === undefined ? {} : { onAudit: audit.write }),
        onEvents: (relayed, worker) => publishAll(events, relayed, worker),
        onReadiness: () => events.readinessChanged(),
      }),
  );
  const { descriptors } = undo.use(await processDescriptors(serverPools));
  await logMemoryLimit(options.workers);
  const metrics = undo.use(
    new WorkerMetrics(() => workers.map((worker) => worker.metrics()), version, {
      auditLost: () => workers.reduce((sum, worker) => sum + worker.auditLost, audit?.lost ?? 0),
      process: { descriptors, virtualMemory, memoryLimit: await memoryLimit() },
    }),
  );
  const readiness = (): string | undefined =>
    stopping ? "proxy server is shutting down" : notReady(workers) ?? noRoomFor(serverPeers, descriptors);
  const events: EventHub = new EventHub({
    facts: { name: "proxy-server", version, notReady: readiness },
    id: options.serverId,
    vocabulary: serverEvents,
    clock: systemClock,
    // One that does not answer keeps nobody from watching the others.
    onWanted: async (types) => void await Promise.allSettled(workers.map((worker) => worker.watchEvents(types))),
  });
  const facts = serverProgramFacts(options, {
    notReady: readiness,
    draining: () => stopping,
    // Those of the workers.
    certificates: () => [],
    ports: () => ({ health: health.port, admin: admin.port }),
  });
  const status = {
    facts,
    server: () => ({ ...serverFacts(options), serverCount: options.serverCount * options.workers }),
    workers: () => workers.map((worker) => (query: StatusQuery) => worker.status(query)),
  };
  const health: HttpServer = undo.use(
    await openPages(
      "health",
      { host: options.healthBindAddress, port: options.healthPort },
      serverHealthApp({
        liveness: async () => await descriptors.lastingExhaustion(systemClock) ?? await liveness(workers),
        readiness,
        ...(options.probeDestinations.length === 0
          ? {}
          : { checks: () => workersChecks(workers, stopping, noRoomFor(serverPeers, descriptors)) }),
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
        status: async (query) => JSON.stringify(await workersStatus(status, query)),
        events,
        profiling: profilingOptions(options),
      }),
      descriptors,
      metrics,
    ),
  );
  // Ended before the port, which would wait for whoever watches.
  undo.use(events);
  await requireFree(frontendAddress(options));
  await requireFree(agentsAddress(options));
  await Promise.all(workers.map((worker) => worker.load()));
  // The first opens the Unix socket, and fails alone where all would.
  let socketFd: number | undefined;
  const [first, ...others] = workers;
  const { shared } = descriptors;
  if (first !== undefined) socketFd = await first.start(workerOptions(options, 0), undefined, shared);
  const socketFile = options.udsName === "" ? undefined : socketFileAt(options.udsName);
  await Promise.all(others.map((worker) => worker.start(workerOptions(options, worker.number), socketFd, shared)));
  descriptors.calibrate();
  const resources = undo.move();
  return {
    ended: Promise.race(workers.map((worker) => worker.ended)),
    async stop(graceMs) {
      stopping = true;
      events.readinessChanged();
      // A socket that workers share stays open until the process ends; nobody new finds it from now on.
      if (socketFile !== undefined && isSameFile(socketFile)) await Deno.remove(socketFile.path).catch(() => {});
      await Promise.all(workers.map((worker) => worker.stop(graceMs)));
      await resources.disposeAsync();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Hands on what happened in a worker. */
function publishAll(hub: EventHub, { text, lost }: RelayedEvents, worker: number): void {
  // Made by this program, in another thread.
  for (const event of JSON.parse(text) as ProgramEvent[]) hub.publish({ ...event, worker } as ProgramEvent);
  if (lost > 0) hub.lost(lost, worker);
}

function notReady(workers: readonly WorkerHandle[]): string | undefined {
  const worker = workers.find((each) => each.notReady !== undefined);
  return worker === undefined ? undefined : `worker ${worker.number}: ${worker.notReady}`;
}

/**
 * Runs proxy-server with several workers until a signal, or the end of a worker, ends it: what a worker knew of its
 * tunnels is lost with it, and a new start is the supervisor's decision, as it is without workers.
 * @returns the exit code. The workers' threads end with the process, for which the caller is to end it
 */
export async function runWorkers(options: ServerOptions): Promise<number> {
  using signals = endingSignals();
  try {
    const running = await Promise.race([startWorkers(options), signals.second.then(() => undefined)]);
    if (running === undefined) return 1;
    log.info("proxy server {serverId} runs with {workers} workers", {
      serverId: options.serverId,
      workers: options.workers,
    });
    const stopped = signals.first.then(async (signal) => {
      log.info("{signal}: shutting down", { signal });
      await running.stop(options.gracefulShutdownTimeoutMs);
      return 0;
    });
    return await Promise.race([stopped, running.ended, signals.second.then(() => 1)]);
  } catch (error) {
    log.error("failed to run the proxy server: {reason}", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return 1;
  }
}
