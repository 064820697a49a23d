import { getLogger } from "@logtape/logtape";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { DerError } from "../../runtime/tls/der.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { type PeerCertificate, type PeerIdentity, unixPeer } from "../../wire/peer_identity.ts";
import { shownCertificate } from "../tls/shown_certificate.ts";
import type { ListenAddress } from "./listen.ts";
import type { ServerTls } from "../tls/tls_server.ts";

const log = getLogger(["net", "peer"]);

/** Tells who is at the other end of a listener's connection. */
export type PeerReader = (socket: Socket) => PeerIdentity;

/** Makes the reader of a listener, at its start: whether certificates are asked for is decided then. */
export function peerReader(listener: { readonly address: ListenAddress; readonly tls?: ServerTls }): PeerReader {
  if (listener.address.kind === "unix") return () => unixPeer;
  const verified = listener.tls?.files.material.ca !== undefined;
  return (socket) => new SocketPeer(socket, verified);
}

/** Works the identity out now, for connections whose socket cannot be asked later. */
export function settledPeer({ address, certificate }: PeerIdentity): PeerIdentity {
  return { address, certificate };
}

/** The peer of a socket; costs nothing until somebody asks for it. */
class SocketPeer implements PeerIdentity {
  readonly #socket: Socket;
  readonly #verified: boolean;
  #address: string | undefined;
  #certificate: PeerCertificate | "none" | undefined;

  constructor(socket: Socket, verified: boolean) {
    this.#socket = socket;
    this.#verified = verified;
  }

  get address(): string {
    return this.#address ??= addressOf(this.#socket);
  }

  get certificate(): PeerCertificate | undefined {
    this.#certificate ??= (this.#verified ? certificateOf(this.#socket) : undefined) ?? "none";
    return this.#certificate === "none" ? undefined : this.#certificate;
  }
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return "unknown";
  // A listener of both families sees IPv4 clients as IPv6 ones.
  return formatHostPort(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ""), remotePort ?? 0);
}

function certificateOf(socket: Socket): PeerCertificate | undefined {
  try {
    // Only listeners with TLS ask for certificates; what has proved nothing, or resumed a session, `followTls` has ended.
    return shownCertificate(socket as TLSSocket)?.read();
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    log.warn("the certificate of {address} cannot be read: {reason}", {
      address: addressOf(socket),
      reason: error.message,
    });
    return undefined;
  }
}
