import { getLogger } from "@logtape/logtape";
import { serverAdminApp } from "../ops/admin.ts";
import { serverHealthApp } from "../ops/health.ts";
import { type HttpServer, serveHttp } from "../ops/http_server.ts";
import type { ProxyServer } from "../server/proxy_server.ts";
import { prepareServer } from "./prepared_server.ts";
import type { ServerListener } from "./server_listeners.ts";
import type { ServerOptions } from "./server_options.ts";
import { endingSignals } from "./signals.ts";

const log = getLogger(["server"]);

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
  const { server, metrics, listen } = undo.use(await prepareServer(options));
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
  const { frontend, agents, stop } = undo.use(await listen());
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
