import type { ServerOptions } from "../server_options.ts";

/** Each worker costs about 25 MiB, and each agent a link to it. */
export const maxWorkers = 64;

/**
 * The options of one of the servers that a command runs: the first has the command's id and the others ids made from it;
 * agents learn of all.
 * @param worker from 0
 */
export function workerOptions(options: ServerOptions, worker: number): ServerOptions {
  return {
    ...options,
    serverId: worker === 0 ? options.serverId : `${options.serverId}-worker-${worker}`,
    serverCount: options.serverCount * options.workers,
  };
}
