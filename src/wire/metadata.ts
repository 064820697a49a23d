/**
 * Metadata keys of the packet services, lower-case as HTTP/2 carries them. The first five are the original's; the last
 * is this project's and is ignored by every other peer.
 */
export const metadataKeys = {
  /** Agent to server: who the agent is. */
  agentId: "agentid",
  /** Agent to server: what it stands for, as a URL query (see identifiers.ts). */
  agentIdentifiers: "agentidentifiers",
  /** Agent to server: `Bearer <token>`. */
  authorization: "authorization",
  /** Server to agent: who the server is. */
  serverId: "serverid",
  /** Server to agent: how many servers there are, decimal. */
  serverCount: "servercount",
  /** Both ways: comma list of {@link Feature}. */
  features: "konnectivity-features",
} as const;

/**
 * What a peer can do beyond the original's protocol:
 * - `early-data`: a client that takes DATA right behind DIAL_RSP (the original's client may lose it)
 * - `half-close`: CLOSE_WRITE packets announce the end of one direction
 * - `ping`: PING and PONG packets on a link over HTTP/2, which an HTTP proxy passes on; direct links have pings of their own
 * - `resolved-address`: a server that wants to know which address a dial has led to
 * - `trace-context`: an agent that traces its dials, and takes the trace that a dial is a part of
 * - `window`: DATA on a link stays within a window per tunnel and direction, and WINDOW packets return credit
 * - `window-return`: WINDOW packets of a negative number of bytes give credit back that a sender does not need
 */
export type Feature =
  | "early-data"
  | "half-close"
  | "ping"
  | "resolved-address"
  | "trace-context"
  | "window"
  | "window-return";

const knownFeatures: ReadonlySet<string> = new Set<Feature>([
  "early-data",
  "half-close",
  "ping",
  "resolved-address",
  "trace-context",
  "window",
  "window-return",
]);

function isFeature(name: string): name is Feature {
  return knownFeatures.has(name);
}

/** Reads a feature list; unknown names belong to later versions and are skipped. */
export function parseFeatures(value: string | undefined): ReadonlySet<Feature> {
  const names = (value ?? "").split(",").map((name) => name.trim());
  return new Set(names.filter(isFeature));
}

/** Writes a feature list. */
export function formatFeatures(features: Iterable<Feature>): string {
  return [...features].join(",");
}

/** Response metadata that an agent needs of a server. */
export interface ServerMetadata {
  readonly serverId: string;
  /** At least 1. */
  readonly serverCount: number;
}

/** What a peer said of itself makes no sense. */
export class MetadataError extends Error {
  override readonly name = "MetadataError";
  readonly code = "bad-metadata";
}

/**
 * Reads what the server says of itself. `values` gives all values of a key.
 * @throws {MetadataError} in the original's words, for operators who search for them
 */
export function parseServerMetadata(values: (key: string) => readonly string[]): ServerMetadata {
  const ids = values(metadataKeys.serverId);
  const [serverId] = ids;
  if (serverId === undefined || ids.length !== 1) {
    throw new MetadataError(`expected one server ID in the context, got [${ids.join(" ")}]`);
  }
  const counts = values(metadataKeys.serverCount);
  const [count] = counts;
  if (count === undefined || counts.length !== 1) {
    throw new MetadataError(`expected one server count, got ${counts.length}`);
  }
  if (!/^[+-]?\d+$/.test(count) || !Number.isSafeInteger(Number(count))) {
    throw new MetadataError(`server count ${JSON.stringify(count)} is not a number`);
  }
  return { serverId, serverCount: Math.max(1, Number(count)) };
}
