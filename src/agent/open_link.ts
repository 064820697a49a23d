import { Code, ConnectError } from "@connectrpc/connect";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures, parseServerMetadata } from "../wire/metadata.ts";
import type { Clock } from "./clock.ts";

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
  open(metadata: Readonly<Record<string, string>>): LinkCall;
  /**
   * Fulfilled when the server has shown that it lives.
   * @param original the server is an original one, which takes too many pings for an attack
   */
  probe(original: boolean): Promise<void>;
  /** Drops the connection and what is on it. */
  close(): void;
}

/** Connects to a server. Rejects when that fails or the signal aborts. */
export type LinkTransport = (target: LinkTarget, signal: AbortSignal) => Promise<LinkConnection>;

/** What the agent says of itself. */
export interface AgentIdentity {
  readonly agentId: string;
  /** A URL query; sent as it is, also when it is empty. */
  readonly identifiers: string;
  /** Reads the token anew for each connection, so that it can rotate; undefined: none is sent. */
  readonly readToken?: () => Promise<string>;
}

/** Bounds of one attempt, in milliseconds. */
export interface OpenLimits {
  /** Connection and TLS. */
  readonly connectTimeoutMs: number;
  /** From the call to the server's headers. */
  readonly headerTimeoutMs: number;
}

/** The defaults: the original waits 20 s for a connection and for ever for headers. */
export const openLimits: OpenLimits = { connectTimeoutMs: 20_000, headerTimeoutMs: 10_000 };

/** A link that the server has taken, not started yet. */
export interface OpenedLink {
  readonly stream: PacketStream;
  readonly connection: LinkConnection;
  readonly serverId: string;
  readonly serverCount: number;
  /** What both sides can do beyond the original's protocol. */
  readonly features: ReadonlySet<Feature>;
}

/** What this agent can do beyond the original's protocol. */
const ownFeatures: readonly Feature[] = ["half-close", "window"];

/**
 * Makes one attempt at a server: token, connection, call, headers. Nothing is left of an attempt that fails.
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
    [metadataKeys.features]: formatFeatures(ownFeatures),
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
    const call = connection.open(metadata);
    const answer = await within(
      clock,
      limits.headerTimeoutMs,
      "no response headers from the server",
      signal,
      () => call.metadata,
    );
    const { serverId, serverCount } = parseServerMetadata(answer);
    const offered = parseFeatures(answer(metadataKeys.features)[0]);
    const features = new Set(ownFeatures.filter((feature) => offered.has(feature)));
    return { stream: call.stream, connection, serverId, serverCount, features };
  } catch (error) {
    connection.close();
    throw error;
  }
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

/** Runs a step under a time limit; a result that comes too late is waited for by nobody. */
function within<T>(
  clock: Clock,
  limitMs: number,
  what: string,
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const attempt = new AbortController();
  const onAbort = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  const cancel = clock.after(limitMs, () => {
    attempt.abort(new ConnectError(`${what} within ${limitMs / 1000} s`, Code.DeadlineExceeded));
  });
  return new Promise<T>((resolve, reject) => {
    attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason));
    step(attempt.signal).then(resolve, reject);
  }).finally(() => {
    cancel();
    signal.removeEventListener("abort", onAbort);
  });
}
