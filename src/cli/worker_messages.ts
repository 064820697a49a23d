import type { RelayedRecord } from "../ops/log_relay.ts";
import type { ServerOptions } from "./server_options.ts";

/** What the command tells a worker. */
export type ToWorker =
  | {
    readonly kind: "start";
    /** The worker's own; see `workerOptions`. */
    readonly options: ServerOptions;
    /** The descriptor of the frontend's Unix socket, where another worker opened it. */
    readonly socketFd: number | undefined;
  }
  | { readonly kind: "metrics"; /** Of the question. */ readonly id: number }
  | { readonly kind: "stop"; readonly graceMs: number };

/** What a worker tells the command. */
export type FromWorker =
  | { readonly kind: "loaded" }
  | { readonly kind: "log"; readonly record: RelayedRecord }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "listening"; /** Where it opened a Unix socket. */ readonly socketFd: number | undefined }
  /** Why it should get no traffic; undefined when it should. */
  | { readonly kind: "readiness"; readonly reason: string | undefined }
  | { readonly kind: "metrics"; readonly id: number; readonly text: string }
  | { readonly kind: "stopped" };
