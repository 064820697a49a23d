import { getLogger } from "@logtape/logtape";
import { follow, ownerOf } from "../../../faults/owned.ts";
import { Descriptors } from "../../../net/edge/descriptors.ts";
import { type LogRelay, relayLogs } from "../../../logging/log_relay.ts";
import { RelayBound } from "../../../logging/relay_bound.ts";
import { prepareServer, type ServerComposition, type ServerListeners } from "../compose.ts";
import { EventRelay } from "../../../ops/events/event_relay.ts";
import { ServerStatusReader } from "../../../ops/status/server_status.ts";
import type { StatusQuery } from "../../../ops/status/status_query.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { serverFacts, serverProgramFacts } from "../server_facts.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

const log = getLogger(["server"]);

/** The part of a worker's global scope that is used here; the types in use are those of a main thread. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
}

/** A worker whose server runs. */
interface RunningWorker {
  readonly prepared: ServerComposition;
  readonly listeners: ServerListeners;
  readonly status: ServerStatusReader;
}

/** Serves as one of the servers of a command, from its first message on; ends with the process. */
export function runServerWorker(): void {
  // Only ever called in a worker.
  const scope = globalThis as unknown as WorkerScope;
  const send = (message: FromWorker) => scope.postMessage(message);
  let worker: RunningWorker | undefined;

  let logRelay: LogRelay | undefined;
  const auditBound = new RelayBound();
  const audit = (line: string) => {
    if (auditBound.admit(line.length)) send({ kind: "audit", line });
  };

  const relay = new EventRelay((events) => send({ kind: "events", events }), systemClock);

  const start = async ({ options, socketFd, descriptors }: ToWorker & { kind: "start" }) => {
    logRelay = relayLogs(options.logging, (record) => send({ kind: "log", record }));
    try {
      const tellReadiness = () => {
        const { notReady, probes } = prepared.server;
        send({ kind: "readiness", reason: notReady, probes: probes.checks() });
      };
      const prepared = await prepareServer(options, new Descriptors(descriptors), {
        onReadiness: () => tellReadiness(),
        audit: options.auditLog === "" ? undefined : audit,
        outlet: relay,
        isWorker: true,
      });
      const listeners = await prepared.listen({ socketFd });
      const status = new ServerStatusReader({
        // Ports and readiness are the command's.
        facts: serverProgramFacts(options, {
          notReady: () => prepared.server.notReady,
          draining: () => prepared.server.draining,
          certificates: () => prepared.certificates(),
          ports: () => ({ health: undefined, admin: undefined }),
        }),
        server: () => serverFacts(options),
        ...(prepared.leases === undefined ? {} : { leases: prepared.leases }),
        backends: () => prepared.server.pool.all(),
        probes: () => prepared.server.probeReports(),
        failures: prepared.failures,
      });
      worker = { prepared, listeners, status };
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

  const reportStatus = async (id: number, query: StatusQuery) => {
    if (worker !== undefined) send({ kind: "status", id, text: JSON.stringify(await worker.status.read(query)) });
  };

  scope.addEventListener("message", ({ data }) => {
    // None of them is awaited: what start and stop throw is uncaught, ends the worker, and with it the command.
    switch (data.kind) {
      case "start":
        return void start(data);
      case "metrics":
        return follow(ownerOf("metrics"), tellMetrics(data.id));
      case "status":
        return follow(ownerOf("request"), reportStatus(data.id, data.query));
      case "ping":
        return send({ kind: "pong", id: data.id });
      case "logRead":
        return logRelay?.acknowledged(data.chars);
      case "auditRead": {
        const count = auditBound.acknowledged(data.chars);
        return count > 0 ? send({ kind: "auditLost", count }) : undefined;
      }
      case "eventsRead":
        return relay.acknowledged(data.chars);
      case "watchEvents":
        relay.want(data.types);
        worker?.prepared.watched();
        return send({ kind: "pong", id: data.id });
      case "stop":
        return void stop(data.graceMs);
    }
  });
  send({ kind: "loaded" });
}
