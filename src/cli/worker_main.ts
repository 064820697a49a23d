import { getLogger } from "@logtape/logtape";
import { relayLogs } from "../ops/log_relay.ts";
import { type PreparedServer, prepareServer, type ServerListeners } from "./prepared_server.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

const log = getLogger(["server"]);

/** The part of a worker's global scope that is used here; the types in use are those of a main thread. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
}

/** Serves as one of the servers of a command, from its first message on; ends with the process. */
export function runServerWorker(): void {
  // Only ever called in a worker.
  const scope = globalThis as unknown as WorkerScope;
  const send = (message: FromWorker) => scope.postMessage(message);
  let worker: { readonly prepared: PreparedServer; readonly listeners: ServerListeners } | undefined;

  const start = async ({ options, socketFd }: ToWorker & { kind: "start" }) => {
    relayLogs(options.logging, (record) => send({ kind: "log", record }));
    try {
      const tellReadiness = () => send({ kind: "readiness", reason: prepared.server.notReady });
      const prepared = await prepareServer(options, () => tellReadiness());
      const listeners = await prepared.listen({ socketFd });
      worker = { prepared, listeners };
      const { address } = listeners.frontend;
      tellReadiness();
      log.info("proxy server {serverId} runs", { serverId: options.serverId });
      send({ kind: "listening", socketFd: address.kind === "unix" ? address.fd : undefined });
    } catch (error) {
      send({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const stop = async (graceMs: number) => {
    await worker?.listeners.stop(graceMs);
    await worker?.listeners[Symbol.asyncDispose]();
    await worker?.prepared[Symbol.asyncDispose]();
    send({ kind: "stopped" });
  };
  const tellMetrics = async (id: number) => {
    send({ kind: "metrics", id, text: await worker?.prepared.metrics.text() ?? "" });
  };

  scope.addEventListener("message", ({ data }) => {
    // None of them is awaited: what they throw is uncaught, ends the worker, and with it the command.
    switch (data.kind) {
      case "start":
        return void start(data);
      case "metrics":
        return void tellMetrics(data.id);
      case "stop":
        return void stop(data.graceMs);
    }
  });
  send({ kind: "loaded" });
}
