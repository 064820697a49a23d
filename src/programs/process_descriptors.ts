import { getLogger } from "@logtape/logtape";
import { follow, ownerOf } from "../faults/owned.ts";
import { type DescriptorPool, Descriptors } from "../net/edge/descriptors.ts";
import { descriptorLimit } from "./descriptor_limit.ts";

const log = getLogger(["descriptors"]);

/** How often the system is asked whether one is left, in milliseconds. */
const measureIntervalMs = 1_000;

/** With fewer for connections than this, a limit was hardly meant for this program. */
const fewConnections = 100;

/** Whom a server serves, and everything that holds its descriptors. */
export const serverPeers = ["client", "agent"] as const;
export const serverPools = [...serverPeers, "health", "admin"] as const;

/** The same of an agent. */
export const agentPools = ["dial", "health", "admin"] as const;

/** Why a program should get no traffic now: whoever comes would be refused. */
export function noRoomFor(pools: readonly DescriptorPool[], descriptors: Descriptors): string | undefined {
  const full = pools.find((pool) => !descriptors.admits(pool));
  return full === undefined ? undefined : `no file descriptors are left for ${full} connections`;
}

/** The descriptors of this process, which are watched until this is disposed of. */
export interface ProcessDescriptors extends Disposable {
  readonly descriptors: Descriptors;
}

/** Counts the descriptors of this process from now on. @param pools those that it has */
export async function processDescriptors(pools: readonly DescriptorPool[]): Promise<ProcessDescriptors> {
  const descriptors = Descriptors.of(pools, await descriptorLimit());
  const { limit, capacity } = descriptors;
  if (capacity < fewConnections) {
    log.warn("the limit of {limit} open files leaves {capacity} for connections; raise it (ulimit -n)", {
      limit,
      capacity,
    });
  }
  let exhausted = false;
  const owner = ownerOf("timer");
  const watch = async () => {
    while (!stopped) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, measureIntervalMs);
        Deno.unrefTimer(timer);
        stop = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      const reason = descriptors.exhaustion();
      if ((reason !== undefined) === exhausted) continue;
      exhausted = reason !== undefined;
      if (reason === undefined) log.info("file descriptors are free again");
      else log.error("{reason}", { reason });
    }
  };
  let stopped = false;
  let stop = () => {};
  follow(owner, watch());
  return {
    descriptors,
    [Symbol.dispose]() {
      stopped = true;
      stop();
    },
  };
}
