import { Code, ConnectError } from "@connectrpc/connect";
import { connect, type TLSSocket } from "node:tls";
import { formatHostPort } from "../wire/host_port.ts";
import { linkProtocol } from "../wire/link_frame.ts";
import { connectFailureText } from "./dial_failure.ts";
import { prepareDirect } from "./direct_link.ts";
import { DirectStream } from "./direct_stream.ts";
import { connectGrpc, type GrpcConnection, type GrpcTarget, type OpenedCall } from "./grpc_client.ts";
import type { StreamCounts } from "./grpc_stream.ts";

/** A connection to a server for one link, direct or over gRPC. */
export interface LinkClient {
  /** Opens the link's stream; once. */
  open(path: string, metadata: Readonly<Record<string, string>>, counts?: StreamCounts): OpenedCall;
  /** Fulfilled when the server has answered, or when the connection is gone. */
  ping(): Promise<void>;
  /** False once the connection is lost, or the server said that it goes away. */
  readonly usable: boolean;
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
  target: GrpcTarget & { kind: "tls" },
  signal: AbortSignal,
  offerDirect: boolean,
): Promise<LinkClient> {
  signal.throwIfAborted();
  // Not left to node:http2, which offers `h2` and nothing else, whatever it is told.
  const socket = await handshake(target, signal, offerDirect ? [linkProtocol] : []);
  if (socket.alpnProtocol === linkProtocol) return directClient(socket);
  return grpcClient(await connectGrpc({ ...target, socket }, signal));
}

function grpcClient(connection: GrpcConnection): LinkClient {
  return {
    open: (path, metadata, counts) => connection.open(path, metadata, counts),
    ping: () => connection.ping(),
    get usable() {
      return connection.usable;
    },
    direct: false,
    close: () => connection.close(),
  };
}

function directClient(socket: TLSSocket): LinkClient {
  prepareDirect(socket);
  let stream: DirectStream | undefined;
  return {
    open(_path, metadata, counts) {
      stream = new DirectStream(socket, counts);
      stream.sendHello(metadata);
      return { stream, metadata: stream.hello, refused: false };
    },
    ping: () => new Promise((resolve) => stream === undefined ? resolve() : stream.ping(resolve)),
    get usable() {
      return !socket.destroyed;
    },
    direct: true,
    close: () => socket.destroy(),
  };
}

function handshake(
  target: GrpcTarget & { kind: "tls" },
  signal: AbortSignal,
  offered: readonly string[],
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...target.tls,
      host: target.host,
      port: target.port,
      minVersion: "TLSv1.2",
      ...(target.serverName === undefined ? {} : { servername: target.serverName }),
      ALPNProtocols: [...new Set([...offered, ...(target.alpnProtocols ?? []), "h2"])],
    });
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (cause: Error) => {
      const where = formatHostPort(target.host, target.port);
      const message = `cannot connect to ${where}: ${connectFailureText(where, cause)}`;
      settle(() => reject(new ConnectError(message, Code.Unavailable, undefined, undefined, cause)));
    };
    const onAbort = () => {
      settle(() => reject(signal.reason));
      socket.destroy();
    };
    // Stays: a late error that nobody listens for would end the process.
    socket.on("error", fail);
    socket.once("close", () => fail(new Error("connection closed during the handshake")));
    socket.once("secureConnect", () => settle(() => resolve(socket)));
    signal.addEventListener("abort", onAbort);
  });
}
