import { Code, ConnectError } from "@connectrpc/connect";
import { follow, owned, ownerOf } from "../../faults/owned.ts";
import { PingedStream } from "../../liveness/pinged_stream.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures, parseServerMetadata } from "../../wire/metadata.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Where a server is tried. */
export interface LinkTarget {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
  /** The name that the server's certificate must carry: the host as it was configured. */
  readonly serverName: string;
}

/** The agent's call, before the server has answered it. */
export interface LinkCall {
  readonly stream: PacketStream;
  /** The server's metadata; rejects with the server's status when it refuses. */
  readonly metadata: Promise<(key: string) => readonly string[]>;
}

/** One connection to a server, for one link. */
export interface LinkConnection {
  /** The names in the server's certificate as one text; empty where they are not known. */
  readonly serverNames: string;
  /** Nobody but the server itself answers its pings. */
  readonly direct: boolean;
  /** Fulfilled when the server, or a proxy before it, has said that it goes away; never where neither does. */
  readonly leaving: Promise<void>;
  open(metadata: Readonly<Record<string, string>>): LinkCall;
  /**
   * Fulfilled when the server has answered.
   * @param original the server is an original one, whose flood protection counts pings
   */
  probe(original: boolean): Promise<void>;
  /** Drops the connection and what is on it. */
  close(): void;
}

/** Connects to a server. Rejects when that fails or the signal aborts. */
export type LinkTransport = (target: LinkTarget, signal: AbortSignal) => Promise<LinkConnection>;

/** What the agent sends about itself. */
export interface AgentIdentity {
  readonly agentId: string;
  /** A URL query; sent as it is, also when it is empty. */
  readonly identifiers: string;
  /** Reads the token anew for each connection, so that it can rotate; undefined: none is sent. */
  readonly readToken?: () => Promise<string>;
  /** The agent traces its dials. */
  readonly traces?: boolean;
}

/** Bounds of one attempt, in milliseconds. */
export interface OpenLimits {
  /** Connection and TLS. */
  readonly connectTimeoutMs: number;
  /** From the call to the server's headers. */
  readonly headerTimeoutMs: number;
  /** How long headers may be missing until they are asked for with a ping, less than a timeout. */
  readonly headerPingMs: number;
}

/** The defaults: the original waits 20 s for a connection and for ever for headers. */
export const openLimits: OpenLimits = { connectTimeoutMs: 20_000, headerTimeoutMs: 10_000, headerPingMs: 1_000 };

/** A link that the server has accepted, not started yet. */
export interface OpenedLink {
  readonly stream: PacketStream;
  readonly connection: LinkConnection;
  readonly serverId: string;
  readonly serverCount: number;
  /** What both sides can do beyond the original's protocol. */
  readonly features: ReadonlySet<Feature>;
}

/** What this agent can do beyond the original's protocol; `trace-context` where it traces, `ping` where the connection has none that reaches the server. */
const ownFeatures: readonly Feature[] = [
  "half-close",
  "ping",
  "resolved-address",
  "trace-context",
  "window",
  "window-return",
];

/**
 * Makes one attempt at a server: token, connection, call, headers. An attempt that fails releases everything.
 * @throws {ConnectError} with the server's own status where it refused
 */
export async function openLink(
  transport: LinkTransport,
  target: LinkTarget,
  identity: AgentIdentity,
  clock: Clock,
  signal: AbortSignal,
  limits: OpenLimits = openLimits,
): Promise<OpenedLink> {
  const metadata: Record<string, string> = {
    [metadataKeys.agentId]: identity.agentId,
    [metadataKeys.agentIdentifiers]: identity.identifiers,
  };
  if (identity.readToken !== undefined) {
    metadata[metadataKeys.authorization] = `Bearer ${checkedToken(await identity.readToken())}`;
  }
  const connection = await within(
    clock,
    limits.connectTimeoutMs,
    "no HTTP/2 connection",
    signal,
    (attempt) => transport(target, attempt),
  );
  try {
    const able = ownFeatures.filter((feature) =>
      (feature !== "ping" || !connection.direct) && (feature !== "trace-context" || identity.traces === true)
    );
    const call = connection.open({ ...metadata, [metadataKeys.features]: formatFeatures(able) });
    const cancelPing = pingLater(connection, clock, limits.headerPingMs);
    const answer = await within(
      clock,
      limits.headerTimeoutMs,
      "no response headers from the server",
      signal,
      () => call.metadata,
    ).finally(cancelPing);
    const { serverId, serverCount } = parseServerMetadata(answer);
    const offered = parseFeatures(answer(metadataKeys.features)[0]);
    const features = new Set(able.filter((feature) => offered.has(feature)));
    if (!features.has("ping")) return { stream: call.stream, connection, serverId, serverCount, features };
    const stream = new PingedStream(call.stream, clock);
    const probe = () => new Promise<void>((resolve) => stream.measure(resolve));
    return { stream, connection: { ...connection, probe }, serverId, serverCount, features };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Pings once headers are late. Behind a server that sends nothing else, as one of the original, nginx (1.22) keeps them until
 * it has something to send on the same connection: the answer to a ping is that. One ping is no attack to anybody.
 * @returns what takes it back
 */
function pingLater(connection: LinkConnection, clock: Clock, afterMs: number): () => void {
  if (connection.direct) return () => {};
  const owner = ownerOf("servers");
  const pending = clock.after(afterMs, () => follow(owner, connection.probe(false)), owner);
  return () => pending.cancel();
}

/** A token with a line break or worse cannot be a header; its text stays out of the error. */
function checkedToken(text: string): string {
  const token = text.trim();
  if (token === "") throw new ConnectError("service account token is empty", Code.Unauthenticated);
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new ConnectError("service account token holds characters that no token has", Code.Unauthenticated);
  }
  return token;
}

/** Runs a step under a deadline; a result that arrives after it is dropped. */
function within<T>(
  clock: Clock,
  limitMs: number,
  what: string,
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const attempt = new AbortController();
  const onAbort = owned(ownerOf("servers"), () => attempt.abort(signal.reason));
  signal.addEventListener("abort", onAbort);
  const limit = clock.after(limitMs, () => {
    attempt.abort(new ConnectError(`${what} within ${limitMs / 1000} s`, Code.DeadlineExceeded));
  }, ownerOf("servers", (error) => attempt.abort(error)));
  return new Promise<T>((resolve, reject) => {
    attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason));
    step(attempt.signal).then(resolve, reject);
  }).finally(() => {
    limit.cancel();
    signal.removeEventListener("abort", onAbort);
  });
}
