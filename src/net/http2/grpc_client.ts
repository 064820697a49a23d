import { Code, ConnectError } from "@connectrpc/connect";
import { connect, constants } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect as connectSocket } from "node:net";
import type { TLSSocket } from "node:tls";
import { dialContext } from "../../dial/connector.ts";
import type { HttpProxy } from "../../dial/proxy/http_proxy.ts";
import { connectSecureThrough } from "../../dial/proxy/proxy_tunnel.ts";
import { connectSecure, type ExplicitTls } from "../../dial/secure_connect.ts";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import { connectFailureText } from "../tcp/dial_failure.ts";
import { ClientGrpcStream } from "./grpc_stream.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { endLater } from "../../runtime/http/http2_guard.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { connectionWindowBytes, http2Settings, linkWindowBytes } from "./http2_settings.ts";
import type { TlsMaterial } from "../tls/tls_files.ts";

/** Headers of a call that may be sent, in bytes: the identifiers of an agent may be thousands. The runtime's own is 64 KiB. */
const largestHeadersBytes = 1024 * 1024;

/** Where a gRPC server is, and how to trust it. */
export type GrpcTarget = TlsTarget | { readonly kind: "unix"; readonly path: string };

/** A server behind TLS. */
export interface TlsTarget {
  readonly kind: "tls";
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
  /** Name that the server's certificate must carry; the host itself when absent. */
  readonly serverName?: string;
  /** ALPN protocols to offer before all others. */
  readonly alpnProtocols?: readonly string[];
  /** The one way to it; absent: it is dialled. */
  readonly proxy?: HttpProxy;
  /** A connection whose handshake is done, to use instead of a new one. */
  readonly socket?: TLSSocket;
}

/** A packet call as its caller holds it. */
export interface OpenedCall {
  readonly stream: PacketStream;
  /** Response metadata, once the server has sent it; rejects when the call ends before that. */
  readonly metadata: Promise<(key: string) => readonly string[]>;
  /** The server refused the call without having looked at it, so that it may be made again (RFC 9113 section 8.7). */
  readonly refused: boolean;
}

/** One HTTP/2 connection to a gRPC server, for any number of packet calls. */
export interface GrpcConnection {
  /** Opens a call. `metadata` are request headers, names in lower case. */
  open(path: string, metadata: Readonly<Record<string, string>>, counts?: StreamCounts): OpenedCall;
  /** Sends an HTTP/2 ping. Fulfilled when it is answered, or when the connection is gone: `closed` reports that. */
  ping(): Promise<void>;
  /** Gives its streams the window that the distance asks for, once that is measured: for a connection that carries a link. */
  widen(): void;
  /** False once the connection takes no new calls: it is lost, or the server said that it goes away. */
  readonly usable: boolean;
  /** Fulfilled when the server, or a proxy before it, has said that it goes away (GOAWAY); never where neither does. */
  readonly leaving: Promise<void>;
  /** Fulfilled when the connection is gone; never rejects. */
  readonly closed: Promise<void>;
  /** Drops the connection and every call on it. */
  close(): void;
}

/**
 * Connects to a gRPC server and resolves when HTTP/2 is up.
 * @throws {ConnectError} `Unavailable` naming the target and the cause; the signal's reason when it aborts
 */
export async function connectGrpc(target: GrpcTarget, signal: AbortSignal, clock: Clock): Promise<GrpcConnection> {
  signal.throwIfAborted();
  const session = await open(target, signal, clock);
  endLater(session);
  let leaving = false;
  session.once("goaway", () => leaving = true);
  const announced = new Promise<void>((resolve) => session.once("goaway", () => resolve()));
  // Without a listener a late error would end the process; `closed` reports the end.
  session.on("error", () => {});
  const closed = new Promise<void>((resolve) => session.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void) => {
      session.removeListener("remoteSettings", onUp);
      session.removeListener("error", onError);
      session.removeListener("close", onClose);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const owner = ownerOf("connection", reject);
    const onUp = owned(owner, () => settle(resolve));
    const onError = owned(owner, (error: Error) => settle(() => reject(unavailable(target, error))));
    const onClose = owned(owner, () => settle(() => reject(unavailable(target, new Error("connection closed")))));
    const onAbort = owned(owner, () => {
      settle(() => reject(signal.reason));
      session.destroy();
    });
    // The server's SETTINGS show that it speaks HTTP/2, which the TCP or TLS handshake alone does not.
    session.once("remoteSettings", onUp);
    session.once("error", onError);
    session.once("close", onClose);
    signal.addEventListener("abort", onAbort);
  });
  session.setLocalWindowSize(connectionWindowBytes);
  return {
    open: (path, metadata, counts) => openCall(session, path, metadata, counts, clock),
    ping: () => ping(session),
    widen: () => widen(session, clock),
    get usable() {
      return !leaving && !session.closed && !session.destroyed;
    },
    leaving: announced,
    closed,
    close: () => {
      leaving = true;
      session.destroy();
    },
  };
}

async function open(target: GrpcTarget, signal: AbortSignal, clock: Clock): Promise<ClientHttp2Session> {
  if (target.kind === "unix") {
    return connect("http://localhost", {
      settings: http2Settings,
      createConnection: () => connectSocket(target.path),
    });
  }
  const socket = target.socket ?? await secureSocket(target, signal, [], clock);
  return connect(`https://${formatHostPort(target.host, target.port)}`, {
    settings: http2Settings,
    maxSendHeaderBlockLength: largestHeadersBytes,
    createConnection: () => socket,
  });
}

/**
 * Connects to a server and makes TLS.
 * @param offered ALPN protocols to offer behind those of the target, of which balancers match the first
 * @throws {ConnectError} `Unavailable` naming the target and the cause; the signal's reason when it aborts
 */
export async function secureSocket(
  target: TlsTarget,
  signal: AbortSignal,
  offered: readonly string[],
  clock: Clock,
): Promise<TLSSocket> {
  const { host, port, proxy } = target;
  const context = dialContext("links", clock);
  const tls: ExplicitTls = {
    ...target.tls,
    minVersion: "TLSv1.2",
    ...verifiedServer(target.tls.ca),
    ...(target.serverName === undefined ? {} : { servername: target.serverName }),
    ALPNProtocols: [...new Set([...(target.alpnProtocols ?? []), ...offered, "h2"])],
  };
  try {
    return proxy === undefined
      ? await connectSecure(host, port, tls, signal, context)
      : await connectSecureThrough(proxy, host, port, tls, signal, context);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw unavailable(target, error instanceof Error ? error : new Error(String(error)));
  }
}

function ping(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve();
    // False: the session has too many pings in flight, and no callback will come.
    if (!session.ping(() => resolve())) resolve();
  });
}

function widen(session: ClientHttp2Session, clock: Clock): void {
  if (session.destroyed) return;
  const since = clock.now();
  session.ping(owned(ownerOf("connection", () => session.destroy()), (error) => {
    if (error || session.destroyed) return;
    const bytes = linkWindowBytes(clock.now() - since);
    if (bytes === http2Settings.initialWindowSize) return;
    session.setLocalWindowSize(Math.max(connectionWindowBytes, 2 * bytes));
    session.settings({ ...http2Settings, initialWindowSize: bytes });
  }));
}

function openCall(
  session: ClientHttp2Session,
  path: string,
  metadata: Readonly<Record<string, string>>,
  counts: StreamCounts | undefined,
  clock: Clock,
): OpenedCall {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...metadata,
  }, { endStream: false });
  const call = new ClientGrpcStream(stream, counts, clock);
  return {
    stream: call,
    metadata: call.metadata,
    get refused() {
      return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    },
  };
}

function unavailable(target: GrpcTarget, cause: Error): ConnectError {
  const where = target.kind === "unix" ? target.path : formatHostPort(target.host, target.port);
  return new ConnectError(
    `cannot connect to ${where}: ${connectFailureText(where, cause)}`,
    Code.Unavailable,
    undefined,
    undefined,
    cause,
  );
}
