import { joinedLeases, type ServerLeases } from "./lease_status.ts";
import { type ProgramFacts, programStatus } from "./program_status.ts";
import type { ServerFacts, ServerStatus } from "./server_status.ts";
import type { StatusPage } from "./status_page.ts";
import type { PageQuery, StatusQuery } from "./status_query.ts";

/** What the status of a command with workers is made of. */
export interface WorkersTables {
  /** Of the command. */
  readonly facts: ProgramFacts;
  readonly server: () => ServerFacts;
  /** Asks each worker for its own status, in order; undefined: it has nothing to show yet. */
  readonly workers: () => readonly ((query: StatusQuery) => Promise<ServerStatus | undefined>)[];
}

/** Failures of all workers that are shown. */
const maxFailures = 50;

/** Pages of one table, as the workers answer them one after the other. */
class JoinedPage<T> {
  readonly #from: number;
  readonly #size: number;
  #total = 0;
  #matched = 0;
  readonly #items: (T & { readonly worker: number })[] = [];

  constructor({ from, size }: PageQuery) {
    this.#from = from;
    this.#size = size;
  }

  /** What the next worker is asked for. */
  get rest(): PageQuery {
    return { from: Math.max(0, this.#from - this.#matched), size: this.#size - this.#items.length };
  }

  add(worker: number, { total, matched, items }: StatusPage<T>): void {
    this.#total += total;
    this.#matched += matched;
    for (const item of items) this.#items.push({ ...item, worker });
  }

  get page(): StatusPage<T & { readonly worker: number }> {
    return { total: this.#total, matched: this.#matched, from: this.#from, items: this.#items };
  }
}

/** The status of a command whose servers are workers: their tables one behind the other, in the order of their numbers. */
export async function workersStatus(
  { facts, server, workers }: WorkersTables,
  query: StatusQuery,
): Promise<ServerStatus> {
  const agents = new JoinedPage<ServerStatus["agents"]["items"][number]>(query.agents);
  const tunnels = new JoinedPage<ServerStatus["tunnels"]["items"][number]>(query.tunnels);
  const dials = new JoinedPage<ServerStatus["dials"]["items"][number]>(query.dials);
  const probes: ServerStatus["probes"][number][] = [];
  const failures: ServerStatus["failures"][number][] = [];
  const leases = new Map<number, ServerLeases>();
  let certificates: ServerStatus["certificates"] = [];
  for (const [number, ask] of workers().entries()) {
    const part = await ask({ ...query, agents: agents.rest, tunnels: tunnels.rest, dials: dials.rest });
    if (part === undefined) continue;
    agents.add(number, part.agents);
    tunnels.add(number, part.tunnels);
    dials.add(number, part.dials);
    for (const probe of part.probes) probes.push({ ...probe, worker: number });
    failures.push(...part.failures);
    if (part.leases !== undefined) leases.set(number, part.leases);
    // All of them serve the same files.
    if (number === 0) ({ certificates } = part);
  }
  const joined = joinedLeases(leases);
  return {
    ...programStatus(facts),
    certificates,
    server: server(),
    ...(joined === undefined ? {} : { leases: joined }),
    agents: agents.page,
    tunnels: tunnels.page,
    dials: dials.page,
    probes,
    failures: failures.toSorted((a, b) => a.time < b.time ? 1 : a.time > b.time ? -1 : 0).slice(0, maxFailures),
  };
}
