import { getLogger } from "@logtape/logtape";
import { requireFree } from "../net/listen.ts";
import { serverAdminApp } from "../ops/admin.ts";
import { serverHealthApp } from "../ops/health.ts";
import { serveHttp } from "../ops/http_server.ts";
import { WorkerMetrics } from "../ops/worker_metrics.ts";
import { agentsAddress, frontendAddress } from "./server_addresses.ts";
import type { ServerOptions } from "./server_options.ts";
import { endingSignals } from "./signals.ts";
import { version } from "./version.ts";
import { WorkerHandle } from "./worker_handle.ts";
import { workerOptions } from "./worker_options.ts";

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
 * @throws {WorkerError} {@link ListenError} {@link HttpListenError} naming what failed
 */
async function startWorkers(options: ServerOptions): Promise<RunningWorkers> {
  await using undo = new AsyncDisposableStack();
  let stopping = false;
  const workers = Array.from({ length: options.workers }, (_, number) => new WorkerHandle(number, Deno.mainModule));
  const metrics = undo.use(new WorkerMetrics(() => workers.map((worker) => worker.metrics()), version));
  undo.use(
    await serveHttp(
      { host: options.healthBindAddress, port: options.healthPort },
      serverHealthApp({
        liveness: () => liveness(workers),
        readiness: () => stopping ? "proxy server is shutting down" : notReady(workers),
        metrics,
      }).fetch,
    ),
  );
  undo.use(
    await serveHttp(
      { host: options.adminBindAddress, port: options.adminPort },
      serverAdminApp({ metrics, profiling: options.enableProfiling }).fetch,
    ),
  );
  await requireFree(frontendAddress(options));
  await requireFree(agentsAddress(options));
  await Promise.all(workers.map((worker) => worker.load()));
  // The first opens the Unix socket, and fails alone where all would.
  let socketFd: number | undefined;
  const [first, ...others] = workers;
  if (first !== undefined) socketFd = await first.start(workerOptions(options, 0), undefined);
  await Promise.all(others.map((worker) => worker.start(workerOptions(options, worker.number), socketFd)));
  const resources = undo.move();
  return {
    ended: Promise.race(workers.map((worker) => worker.ended)),
    async stop(graceMs) {
      stopping = true;
      // A socket that workers share stays open until the process ends; nobody new finds it from now on.
      if (options.udsName !== "") await Deno.remove(options.udsName).catch(() => {});
      await Promise.all(workers.map((worker) => worker.stop(graceMs)));
      await resources.disposeAsync();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function notReady(workers: readonly WorkerHandle[]): string | undefined {
  const worker = workers.find((each) => each.notReady !== undefined);
  return worker === undefined ? undefined : `worker ${worker.number}: ${worker.notReady}`;
}

/** A worker that hangs is noticed: without workers, the health port would hang with it. */
async function liveness(workers: readonly WorkerHandle[]): Promise<string | undefined> {
  try {
    await Promise.all(workers.map((worker) => worker.metrics()));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
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
