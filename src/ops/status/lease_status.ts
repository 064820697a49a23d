import { rounded, shown } from "./status_page.ts";

/** What `/status` of an agent says of the servers' leases. */
export interface AgentLeases extends LeaseScope {
  /** Leases that count. */
  readonly count: number;
  /** Of those, how many are of servers that the agent has a link to. */
  readonly linked: number;
  /** Whether the agent is told of changes. */
  readonly followed: boolean;
  /** For how long it has not been; absent while it is. */
  readonly unfollowedSeconds?: number;
  /** Why it is not; absent while it is, or while nothing has failed. */
  readonly failure?: string;
  /** The first 100: those that count and have no link, then those that have one, then those that do not count. */
  readonly items: readonly AgentLeaseEntry[];
  /** How many there are. */
  readonly total: number;
  /** Ids of the first 100 servers that the agent has a link to and that no lease names which counts. */
  readonly withoutLease: readonly string[];
}

/** What `/status` of a server says of leases. */
export interface ServerLeases extends LeaseScope {
  /** The server's own; with `--workers` those of all of them. */
  readonly own: readonly OwnLeaseStatus[];
  /** Leases that held when they were listed last. */
  readonly count: number;
  /** Since then; absent where they were never listed. */
  readonly listedSeconds?: number;
  /** Why they cannot be listed; absent where they can. */
  readonly failure?: string;
  /** The first 100, as the API lists them. */
  readonly items: readonly ServerLeaseEntry[];
  /** How many there are. */
  readonly total: number;
}

/** Which leases are meant. */
export interface LeaseScope {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Kubernetes' label selector. */
  readonly labelSelector: string;
}

/** A lease that the program has seen. */
export interface LeaseEntry {
  readonly namespace: string;
  readonly name: string;
  /** The id of the server that holds it. */
  readonly holder: string;
  /** Until it ends, negative once it has; absent where it names no time, or no duration. */
  readonly endsInSeconds?: number;
  /** Whether it is one of those that were counted: it may have ended since, while nobody could ask for it. */
  readonly counts: boolean;
}

export interface AgentLeaseEntry extends LeaseEntry {
  /** Whether the agent has a link that is up to the server. */
  readonly linked: boolean;
}

export interface ServerLeaseEntry extends LeaseEntry {
  /** Whether it is this server's. */
  readonly own: boolean;
}

/** A server's own lease. */
export interface OwnLeaseStatus {
  readonly name: string;
  /** Whether it was renewed within its duration. */
  readonly held: boolean;
  /** Since it was renewed; absent where it is not there. */
  readonly renewedSeconds?: number;
  /** Why it cannot be renewed; absent where it can. */
  readonly failure?: string;
  /** With `--workers`: whose it is. */
  readonly worker?: number;
}

/** A lease as those who follow leases know it. */
export interface SeenLease {
  readonly lease: { readonly namespace: string; readonly name: string; readonly holderIdentity: string };
  readonly counts: boolean;
  /** Undefined where it names no time, or no duration. */
  readonly endsInMs: number | undefined;
}

/** What an agent knows of the servers' leases. */
export interface AgentLeaseReport extends LeaseScope {
  readonly count: number;
  readonly leases: Iterable<SeenLease>;
  /** Undefined while leases are followed. */
  readonly unfollowed: { readonly ms: number; readonly failure: string | undefined } | undefined;
}

/** What a server knows of leases. */
export interface ServerLeaseReport extends LeaseScope {
  readonly own: {
    readonly name: string;
    readonly held: boolean;
    readonly renewedMsAgo: number | undefined;
    readonly failure: string | undefined;
  };
  readonly list: {
    readonly count: number;
    readonly leases: Iterable<SeenLease>;
    readonly listedMsAgo: number | undefined;
    readonly failure: string | undefined;
  };
}

/** Leases, or servers, that are shown. */
const shownLeases = 100;

/** @param linkedIds servers that the agent has a link to that is up */
export function agentLeases(
  { namespace, labelSelector, count, leases, unfollowed }: AgentLeaseReport,
  linkedIds: ReadonlySet<string>,
): AgentLeases {
  const all = Array.from(leases, (seen) => ({ seen, linked: linkedIds.has(seen.lease.holderIdentity) }));
  const counted = all.filter(({ seen }) => seen.counts);
  const missing = counted.filter(({ linked }) => !linked);
  const linked = counted.filter(({ linked }) => linked);
  const holders = new Set(counted.map(({ seen }) => seen.lease.holderIdentity));
  const ordered = [...missing, ...linked, ...all.filter(({ seen }) => !seen.counts)];
  return {
    namespace,
    labelSelector,
    count,
    linked: linked.length,
    followed: unfollowed === undefined,
    ...(unfollowed === undefined ? {} : { unfollowedSeconds: rounded(unfollowed.ms / 1000) }),
    ...(unfollowed?.failure === undefined ? {} : { failure: shown(unfollowed.failure) }),
    items: ordered.slice(0, shownLeases).map(({ seen, linked }) => ({ ...leaseEntry(seen), linked })),
    total: all.length,
    withoutLease: [...linkedIds].filter((id) => !holders.has(id)).slice(0, shownLeases).map(shown),
  };
}

export function serverLeases({ namespace, labelSelector, own, list }: ServerLeaseReport): ServerLeases {
  const all = [...list.leases];
  const { name, held, renewedMsAgo } = own;
  return {
    namespace,
    labelSelector,
    own: [{
      name,
      held,
      ...(renewedMsAgo === undefined ? {} : { renewedSeconds: rounded(renewedMsAgo / 1000) }),
      ...(own.failure === undefined ? {} : { failure: shown(own.failure) }),
    }],
    count: list.count,
    ...(list.listedMsAgo === undefined ? {} : { listedSeconds: rounded(list.listedMsAgo / 1000) }),
    ...(list.failure === undefined ? {} : { failure: shown(list.failure) }),
    items: all.slice(0, shownLeases).map((seen) => ({ ...leaseEntry(seen), own: seen.lease.name === name })),
    total: all.length,
  };
}

/**
 * What the workers of one command know together: each has a lease of its own, and lists all of them. The newest list is
 * shown, and a failure of any.
 * @param parts by the workers' numbers
 */
export function joinedLeases(parts: ReadonlyMap<number, ServerLeases>): ServerLeases | undefined {
  const all = [...parts.values()];
  const [newest] = all.toSorted((a, b) => (a.listedSeconds ?? Infinity) - (b.listedSeconds ?? Infinity));
  if (newest === undefined) return undefined;
  const own = [...parts].flatMap(([worker, leases]) => leases.own.map((each) => ({ ...each, worker })));
  const names = new Set(own.map(({ name }) => name));
  const failure = newest.failure ?? all.find((part) => part.failure !== undefined)?.failure;
  return {
    ...newest,
    own,
    items: newest.items.map((item) => ({ ...item, own: names.has(item.name) })),
    ...(failure === undefined ? {} : { failure }),
  };
}

function leaseEntry({ lease: { namespace, name, holderIdentity }, counts, endsInMs }: SeenLease): LeaseEntry {
  return {
    namespace,
    name,
    holder: shown(holderIdentity),
    ...(endsInMs === undefined ? {} : { endsInSeconds: rounded(endsInMs / 1000) }),
    counts,
  };
}
