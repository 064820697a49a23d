import { Code, ConnectError } from "@connectrpc/connect";
import { connect, constants } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect as connectSocket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { connectFailureText } from "./dial_failure.ts";
import { ClientGrpcStream, type StreamCounts } from "./grpc_stream.ts";
import { formatHostPort } from "../wire/host_port.ts";
import { endLater } from "./http2_guard.ts";
import { connectionWindowBytes, http2Settings } from "./http2_settings.ts";
import type { TlsMaterial } from "./tls_files.ts";

/** Where a gRPC server is, and how to trust it. */
export type GrpcTarget =
  | {
    readonly kind: "tls";
    readonly host: string;
    readonly port: number;
    readonly tls: TlsMaterial;
    /** Name that the server's certificate must carry; the host itself when absent. */
    readonly serverName?: string;
    /** ALPN protocols to offer before `h2`. */
    readonly alpnProtocols?: readonly string[];
    /** A connection whose handshake is done, to use instead of a new one. */
    readonly socket?: TLSSocket;
  }
  | { readonly kind: "unix"; readonly path: string };

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
  /** Sends an HTTP/2 ping. Fulfilled when it is answered, or when the connection is gone: `closed` tells of that. */
  ping(): Promise<void>;
  /** False once the connection takes no new calls: it is lost, or the server said that it goes away. */
  readonly usable: boolean;
  /** Fulfilled when the connection is gone; never rejects. */
  readonly closed: Promise<void>;
  /** Drops the connection and every call on it. */
  close(): void;
}

/**
 * Connects to a gRPC server and resolves when HTTP/2 is up.
 * @throws {ConnectError} `Unavailable` naming the target and the cause; the signal's reason when it aborts
 */
export async function connectGrpc(target: GrpcTarget, signal: AbortSignal): Promise<GrpcConnection> {
  signal.throwIfAborted();
  const session = open(target);
  endLater(session);
  let leaving = false;
  session.once("goaway", () => leaving = true);
  // Without a listener a late error would end the process; `closed` tells of the end.
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
    const onUp = () => settle(resolve);
    const onError = (error: Error) => settle(() => reject(unavailable(target, error)));
    const onClose = () => settle(() => reject(unavailable(target, new Error("connection closed"))));
    const onAbort = () => {
      settle(() => reject(signal.reason));
      session.destroy();
    };
    // The server's SETTINGS show that it speaks HTTP/2, which the TCP or TLS handshake alone does not.
    session.once("remoteSettings", onUp);
    session.once("error", onError);
    session.once("close", onClose);
    signal.addEventListener("abort", onAbort);
  });
  session.setLocalWindowSize(connectionWindowBytes);
  return {
    open: (path, metadata, counts) => openCall(session, path, metadata, counts),
    ping: () => ping(session),
    get usable() {
      return !leaving && !session.closed && !session.destroyed;
    },
    closed,
    close: () => {
      leaving = true;
      session.destroy();
    },
  };
}

function open(target: GrpcTarget): ClientHttp2Session {
  if (target.kind === "unix") {
    return connect("http://localhost", {
      settings: http2Settings,
      createConnection: () => connectSocket(target.path),
    });
  }
  const { socket } = target;
  return connect(`https://${formatHostPort(target.host, target.port)}`, {
    ...target.tls,
    settings: http2Settings,
    minVersion: "TLSv1.2",
    ...(target.serverName === undefined ? {} : { servername: target.serverName }),
    ALPNProtocols: [...new Set([...(target.alpnProtocols ?? []), "h2"])],
    ...(socket === undefined ? {} : { createConnection: () => socket }),
  });
}

function ping(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve();
    // False: the session has too many pings under way, and no callback will come.
    if (!session.ping(() => resolve())) resolve();
  });
}

function openCall(
  session: ClientHttp2Session,
  path: string,
  metadata: Readonly<Record<string, string>>,
  counts: StreamCounts | undefined,
): OpenedCall {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...metadata,
  }, { endStream: false });
  const call = new ClientGrpcStream(stream, counts);
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
