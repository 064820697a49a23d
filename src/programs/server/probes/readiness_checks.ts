import type { ReadinessCheck } from "../../../ops/health.ts";
import type { ProbeCheck } from "../../../server/probes/destination_probes.ts";
import { noAgentConnected, type ProxyServer } from "../../../server/proxy_server.ts";

const shutdown = "proxy server is shutting down";

/**
 * What the readiness of a server is made of, for `/readyz?verbose`: what counts, and each destination that is probed.
 * @param noRoom why new peers would be refused; undefined: they would not
 */
export function serverChecks({ draining, pool, probes }: ProxyServer, noRoom: string | undefined): ReadinessCheck[] {
  return [
    check("shutdown", draining ? shutdown : undefined),
    check("agent-connected", pool.ready ? undefined : noAgentConnected),
    check("descriptors", noRoom),
    ...(probes.readiness ? [check("probes", probes.notReady)] : []),
    ...probes.checks().map(probeCheck),
  ];
}

/** What a command knows of one of its workers. */
export interface WorkerReadiness {
  readonly number: number;
  readonly notReady: string | undefined;
  readonly probes: readonly ProbeCheck[];
}

/** The same for a command with workers: a destination is reached where each of them reaches it. */
export function workersChecks(
  workers: readonly WorkerReadiness[],
  stopping: boolean,
  noRoom: string | undefined,
): ReadinessCheck[] {
  const probes = new Map<string, string | undefined>();
  for (const { number, probes: each } of workers) {
    for (const { destination, failure } of each) {
      const own = failure === undefined ? undefined : `worker ${number}: ${failure}`;
      probes.set(destination, probes.get(destination) ?? own);
    }
  }
  return [
    check("shutdown", stopping ? shutdown : undefined),
    ...workers.map(({ number, notReady }) => check(`worker/${number}`, notReady)),
    check("descriptors", noRoom),
    ...Array.from(probes, ([destination, failure]) => probeCheck({ destination, failure })),
  ];
}

function check(name: string, failure: string | undefined): ReadinessCheck {
  return { name, failure, counts: true };
}

function probeCheck({ destination, failure }: ProbeCheck): ReadinessCheck {
  return { name: `probe/${destination}`, failure, counts: false };
}
