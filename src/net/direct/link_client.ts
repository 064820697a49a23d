import { Code, ConnectError } from "@connectrpc/connect";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../runtime/clock.ts";
import { certificateNames } from "../../runtime/tls/certificate_names.ts";
import { DerError } from "../../runtime/tls/der.ts";
import { linkProtocol } from "../../wire/link_frame.ts";
import { prepareDirect } from "./direct_link.ts";
import { DirectStream } from "./direct_stream.ts";
import {
  connectGrpc,
  type GrpcConnection,
  type OpenedCall,
  secureSocket,
  type TlsTarget,
} from "../http2/grpc_client.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { isTlsFailure } from "../tls/tls_failure.ts";

/** A connection to a server for one link, direct or over gRPC. */
export interface LinkClient {
  /** Opens the link's stream; once. */
  open(path: string, metadata: Readonly<Record<string, string>>, counts?: StreamCounts): OpenedCall;
  /** Fulfilled when the server has answered, or when the connection is gone. */
  ping(): Promise<void>;
  /** False once the connection is lost, or the server said that it goes away. */
  readonly usable: boolean;
  /** Fulfilled when the server, or a proxy before it, has said that it goes away; never where neither does. */
  readonly leaving: Promise<void>;
  /** The names in the server's certificate as one text, which is the same for a renewed certificate with the same names. */
  readonly serverNames: string;
  /** The connection carries packets without HTTP/2. */
  readonly direct: boolean;
  close(): void;
}

/**
 * Connects to a server. With `offerDirect` it is offered a direct link, and gRPC is taken over the same connection where
 * the server does not know direct links: ALPN decides, so nothing is tried twice.
 * @throws {ConnectError} `Unavailable` naming the target and the cause; the signal's reason when it aborts
 */
export async function connectLink(
  target: TlsTarget,
  signal: AbortSignal,
  offerDirect: boolean,
  clock: Clock,
): Promise<LinkClient> {
  signal.throwIfAborted();
  // Not left to node:http2, which offers `h2` and nothing else, whatever its options say.
  const socket = await secureSocket(target, signal, offerDirect ? [linkProtocol] : [], clock);
  const serverNames = namesOf(socket);
  if (socket.alpnProtocol === linkProtocol) return directClient(socket, serverNames, clock);
  let connection: GrpcConnection;
  try {
    connection = await connectGrpc({ ...target, socket }, signal, clock);
  } catch (error) {
    throw signal.aborted ? error : unanswered(error, socket);
  }
  connection.widen();
  return grpcClient(connection, serverNames);
}

/**
 * The error for a connection that ends before the server's first word. With TLS 1.3 the handshake of this side is done before the
 * server has seen its certificate, so a refusal looks like the loss of a connection that was good.
 */
function unanswered(error: unknown, socket: TLSSocket): unknown {
  if (!(error instanceof ConnectError) || error.code !== Code.Unavailable) return error;
  // The runtime reports an alert of TLS before anybody listens for it, or behind the error of a write.
  const { errored } = socket;
  const what = isTlsFailure(errored) ? errored?.message : isTlsFailure(error) ? error.rawMessage : undefined;
  return new ConnectError(
    `the server ended the connection before it answered${what === undefined ? "" : `: ${what}`}; it may refuse this ` +
      "side's certificate, or the port be another one: the server's log says which",
    Code.Unavailable,
    undefined,
    undefined,
    error,
  );
}

function namesOf(socket: TLSSocket): string {
  // Undefined once the connection is gone, whatever the types say.
  const raw: Uint8Array | undefined = socket.getPeerCertificate()?.raw;
  if (raw === undefined) return "";
  try {
    const { commonName, dnsNames, addresses, uris } = certificateNames(raw);
    return JSON.stringify([commonName, ...[dnsNames, addresses, uris].map((names) => names.toSorted())]);
  } catch (error) {
    if (error instanceof DerError) return "";
    throw error;
  }
}

function grpcClient(connection: GrpcConnection, serverNames: string): LinkClient {
  return {
    open: (path, metadata, counts) => connection.open(path, metadata, counts),
    ping: () => connection.ping(),
    get usable() {
      return connection.usable;
    },
    leaving: connection.leaving,
    serverNames,
    direct: false,
    close: () => connection.close(),
  };
}

/** A direct link over a TLS connection whose handshake is done. */
export function directClient(socket: TLSSocket, serverNames: string, clock: Clock): LinkClient {
  prepareDirect(socket);
  let stream: DirectStream | undefined;
  return {
    open(_path, metadata, counts) {
      const opened = new DirectStream(socket, counts, clock);
      stream = opened;
      stream.sendHello(metadata);
      const hello = stream.hello.catch((error) => Promise.reject(opened.answered ? error : unanswered(error, socket)));
      // A caller that never asks for the hello must not meet its failure as an unhandled rejection.
      hello.catch(() => {});
      return { stream, metadata: hello, refused: false };
    },
    ping: () => new Promise((resolve) => stream === undefined ? resolve() : stream.ping(resolve)),
    get usable() {
      return !socket.destroyed;
    },
    // There is no word for it on a direct link.
    leaving: new Promise(() => {}),
    serverNames,
    direct: true,
    close: () => socket.destroy(),
  };
}
