import type { Socket } from "node:net";
import { type SecureContextOptions, type TlsOptions, TLSSocket } from "node:tls";
import { connectionOwner, guard, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import { alwaysFullHandshakes, type HandshakeServer, type TlsVersions } from "../../runtime/tls/full_handshakes.ts";
import type { Clock } from "../../runtime/clock.ts";
import { handshakesInTurns, handshakeTurns } from "../../runtime/tls/handshake_turns.ts";
import { handshakeSeen } from "../../runtime/memory/read_meter.ts";
import { ClientTrust, unreadableCertificate } from "./client_trust.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import type { TlsMaterial } from "./tls_files.ts";
import { TrustedConnections } from "./trusted_connections.ts";
import type { WatchedTls } from "./tls_watch.ts";

/** What a TLS listener presents, whom it trusts and what it negotiates. With a `ca` in the files, clients must have a certificate. */
export interface ServerTls {
  readonly files: WatchedTls;
  /** Absent: TLS 1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names of the TLS 1.2 suites that may be negotiated; absent: every one that the runtime offers. */
  readonly cipherSuites?: ReadonlySet<string>;
  /** Close connections whose certificate ends, or whose CA is trusted no more. */
  readonly closeRevoked?: boolean;
}

/** The part of a TLS server that {@link boundHandshakes} needs. */
interface HandshakingServer {
  on(event: "connection", listener: (socket: Socket) => void): unknown;
  on(event: "tlsClientError", listener: (error: Error, socket: TLSSocket) => void): unknown;
}

/** The part of a TLS server that {@link followTls} needs. */
interface TlsServer extends HandshakeServer {
  /** What each connection's socket gets; the types know it for options only. */
  rejectUnauthorized?: unknown;
  once(event: "close", listener: () => void): unknown;
  emit(event: string | symbol, ...args: unknown[]): boolean;
}

/**
 * Options of node's TLS servers for these settings. Sockets that are half open (`allowHalfOpen`) have to be made so after
 * their handshake: before it, the runtime would never notice that a client has left.
 */
export function tlsServerOptions(tls: ServerTls): TlsOptions {
  // Whether a certificate is asked for is decided at the start; files that change later must not open the door.
  const verify = tls.files.material.ca !== undefined;
  return {
    ...contextOf(tls.files.material),
    requestCert: verify,
    rejectUnauthorized: verify,
    minVersion: tls.minVersion ?? "TLSv1.2",
    handshakeTimeout: edgeLimits.handshakeTimeoutMs,
  };
}

/**
 * Drops connections whose handshake fails or takes too long, which the runtime leaves to its users.
 * @returns what drops those whose handshake is not finished: a server that closes waits for them
 */
export function boundHandshakes(server: HandshakingServer, onFailed: (error: Error) => void): () => void {
  const open = new Set<Socket>();
  server.on(
    "connection",
    ownedBy(connectionOwner, (socket: Socket) => {
      open.add(socket);
      handshakeSeen();
      const closed = () => {
        open.delete(socket);
        handshakeSeen();
      };
      socket.once("close", owned(connectionOwner(socket), closed));
    }),
  );
  const failed = (error: Error, socket: TLSSocket) => {
    socket.destroy();
    const slow = Reflect.get(error, "code") === "ERR_TLS_HANDSHAKE_TIMEOUT";
    if (slow) onFailed(new EdgeError("slow_start", error.message, { cause: error }));
    else onFailed(unreadableCertificate(error) ?? error);
  };
  server.on("tlsClientError", (error, socket) => guard(connectionOwner(socket), () => failed(error, socket)));
  return () => {
    for (const socket of open) socket.destroy();
  };
}

/**
 * Keeps a TLS server on the newest files, and ends each connection that has not proved what it has to, before anything
 * else sees it. Call it right after the server is made.
 */
export function followTls(
  server: TlsServer,
  tls: ServerTls,
  clock: Clock,
  onRefused: (error: Error) => void,
): void {
  const versions: TlsVersions = { minVersion: tls.minVersion ?? "TLSv1.2", maxVersion: "TLSv1.3" };
  const demanded = tls.files.material.ca !== undefined;
  let trust = trustOf(tls.files.material);
  const open = trust === undefined || tls.closeRevoked !== true
    ? undefined
    : new TrustedConnections(trust, clock, onRefused);
  const unfollow = tls.files.onChange((material: TlsMaterial) => {
    const next = trustOf(material);
    // A change of the own certificate alone is none of the trust.
    const changed = next !== undefined && next.pem !== trust?.pem;
    trust = next ?? trust;
    server.setSecureContext({ ...contextOf(material), ...versions });
    if (changed) open?.changed(next);
  });
  const stop = () => {
    unfollow();
    open?.stop();
  };
  server.once("close", owned(ownerOf("listener"), stop));
  if (demanded) {
    // Not false: the runtime goes on to demand a certificate. Not true: it would close connections whose certificate it
    // does not trust without saying why. Those are closed below.
    server.rejectUnauthorized = 0;
    alwaysFullHandshakes(server, {
      versions,
      context: (some) => ({ ...contextOf(tls.files.material), ...some }),
      limit: (socket, onDue) => clock.after(edgeLimits.handshakeTimeoutMs, onDue, connectionOwner(socket)),
      guard: (socket, step) => guard(connectionOwner(socket), step),
      inTurn: (answer) => handshakeTurns.take(answer),
      onRefused,
    });
  } else {
    handshakesInTurns(server, (socket, step) => guard(connectionOwner(socket), step));
  }
  const emit = server.emit;
  // No listener, whenever it was added, gets a connection that is refused here.
  server.emit = (event, ...args) => {
    const [socket] = args;
    if (event !== "secureConnection" || !(socket instanceof TLSSocket)) return emit.call(server, event, ...args);
    // A fault here must not let anybody in.
    let admitted = false;
    guard(connectionOwner(socket), () => {
      const refusal = (demanded ? certificateRefusal(socket, trust, clock) : undefined) ??
        suiteRefusal(socket, tls.cipherSuites);
      admitted = refusal === undefined;
      if (refusal === undefined) return open?.add(socket);
      socket.on("error", () => {});
      socket.destroy();
      onRefused(refusal);
    });
    if (admitted) handshakeTurns.spend(() => emit.call(server, event, ...args));
    return true;
  };
}

function certificateRefusal(socket: TLSSocket, trust: ClientTrust | undefined, clock: Clock): Error | undefined {
  return trust === undefined
    ? new Error("there is no CA that clients could be trusted by")
    : trust.refusal(socket, clock.timeOfDay());
}

/** The runtime's options for certificates. */
function contextOf(material: TlsMaterial): SecureContextOptions {
  const { ca: _, ...own } = material;
  const ca = trustOf(material)?.ca;
  return ca === undefined ? own : { ...own, ca };
}

/** The trust of each set of files, which several listeners and all their changes of context ask for. */
const trusts = new WeakMap<TlsMaterial, ClientTrust>();

function trustOf(material: TlsMaterial): ClientTrust | undefined {
  if (material.ca === undefined) return undefined;
  const known = trusts.get(material);
  if (known !== undefined) return known;
  const trust = new ClientTrust(material.ca);
  trusts.set(material, trust);
  return trust;
}

/** The suites of TLS 1.3 cannot be chosen, as with the original. */
function suiteRefusal(socket: TLSSocket, allowed: ReadonlySet<string> | undefined): Error | undefined {
  if (allowed === undefined || socket.getProtocol() === "TLSv1.3") return undefined;
  const { name } = socket.getCipher();
  return allowed.has(name) ? undefined : new Error(`cipher suite ${name} is not among those that were allowed`);
}
