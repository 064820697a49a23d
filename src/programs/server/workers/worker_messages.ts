import type { SharedDescriptors } from "../../../net/edge/descriptors.ts";
import type { RelayedRecord } from "../../../logging/log_relay.ts";
import type { RelayedEvents } from "../../../ops/events/event_relay.ts";
import type { StatusQuery } from "../../../ops/status/status_query.ts";
import type { ProbeCheck } from "../../../server/probes/destination_probes.ts";
import type { ServerOptions } from "../server_options.ts";

/** Messages from the command to a worker. */
export type ToWorker =
  | {
    readonly kind: "start";
    /** The worker's own; see `workerOptions`. */
    readonly options: ServerOptions;
    /** The descriptor of the frontend's Unix socket, where another worker opened it. */
    readonly socketFd: number | undefined;
    /** Those of the process. */
    readonly descriptors: SharedDescriptors;
  }
  | { readonly kind: "metrics"; /** Of the question. */ readonly id: number }
  | { readonly kind: "status"; readonly id: number; readonly query: StatusQuery }
  /** Asks for a sign of life, and for nothing that costs. */
  | { readonly kind: "ping"; readonly id: number }
  /** Log records, lines of the audit log, or events, of so many characters were read. */
  | { readonly kind: "logRead" | "auditRead" | "eventsRead"; readonly chars: number }
  /** Events of these types are watched from now on, and no others; answered as a ping is. */
  | { readonly kind: "watchEvents"; readonly id: number; readonly types: readonly string[] }
  | { readonly kind: "stop"; readonly graceMs: number };

/** Messages from a worker to the command. */
export type FromWorker =
  | { readonly kind: "loaded" }
  | { readonly kind: "log"; readonly record: RelayedRecord }
  | { readonly kind: "audit"; readonly line: string }
  /** Lines that were not sent, since the command read too slowly. */
  | { readonly kind: "auditLost"; readonly count: number }
  | { readonly kind: "events"; readonly events: RelayedEvents }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "listening"; /** Where it opened a Unix socket. */ readonly socketFd: number | undefined }
  | {
    readonly kind: "readiness";
    /** Why it should get no traffic; undefined when it should. */
    readonly reason: string | undefined;
    readonly probes: readonly ProbeCheck[];
  }
  | { readonly kind: "metrics"; readonly id: number; readonly text: string }
  | { readonly kind: "status"; readonly id: number; /** JSON. */ readonly text: string }
  | { readonly kind: "pong"; readonly id: number }
  | { readonly kind: "stopped" };
