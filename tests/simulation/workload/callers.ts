import { Code, ConnectError } from "@connectrpc/connect";
import { ConnectStream } from "../../../src/client/connect_stream.ts";
import type { DialledStream } from "../../../src/client/dialled_stream.ts";
import { PacketTunnel } from "../../../src/client/packet_tunnel.ts";
import { ProxyError } from "../../../src/client/proxy_error.ts";
import { WebTunnel } from "../../../src/client/tunnel.ts";
import { follow, ownerOf } from "../../../src/faults/owned.ts";
import { directClient } from "../../../src/net/direct/link_client.ts";
import { SocketStream } from "../../../src/net/tcp/socket_stream.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { formatFeatures, metadataKeys, parseFeatures } from "../../../src/wire/metadata.ts";
import { PacketType } from "../../../src/wire/packet.ts";
import type { TLSSocket } from "node:tls";
import type { Network } from "../network/network.ts";
import { connectRequest, isAccepted } from "../processes/connect_port.ts";
import { hosts, ports } from "../processes/ports.ts";
import { WebStream } from "./web_stream.ts";
import { wrapped } from "../processes/wrapped_stream.ts";

/** How a client reaches a server. */
export type Frontend = "grpc" | "connect" | "library";

/** How long the library waits for the end of a tunnel: its default. */
const closeTimeoutMs = 10_000;

/** A dial that a client makes. */
export interface Call {
  readonly server: string;
  readonly address: string;
  readonly random: bigint;
  readonly clock: Clock;
  readonly network: Network;
  /** The server answered the dial. */
  readonly answered: () => void;
}

/** Dials through a server. @throws what the dial failed with */
export async function dialThrough(frontend: Frontend, call: Call, signal: AbortSignal): Promise<DialledStream> {
  if (frontend === "connect") return await dialConnect(call, signal);
  const stream = await dialGrpc(call, signal);
  if (frontend === "grpc") return stream;
  return new WebStream(new WebTunnel(call.address, stream, closeTimeoutMs, call.clock));
}

/** The client library's tunnel, over a packet stream whose carrier is the project's own framing instead of HTTP/2. */
async function dialGrpc(call: Call, signal: AbortSignal): Promise<DialledStream> {
  const { server, address, random, clock, network } = call;
  const socket = await network.connect(hosts.clients, server, ports.grpcClients, signal);
  const { stream, metadata } = directClient(socket.socket as TLSSocket, server, clock).open("/", {
    [metadataKeys.features]: formatFeatures(["early-data", "half-close"]),
  });
  return await new Promise((resolve, reject) => {
    const tunnel = new PacketTunnel(seen(stream, call), { protocol: "tcp", address }, random, {
      onStreamFailed: () => {},
      onDialed: (error) => error === undefined ? resolve(tunnel) : reject(error),
    });
    signal.addEventListener("abort", () => {
      if (tunnel.state !== "dialing") return;
      tunnel.giveUp(new ProxyError("dial-timeout", "no answer in time"));
      // Whoever cannot be reached does not end its side either.
      clock.after(5_000, () => stream.destroy(new ConnectError("given up", Code.Canceled)), ownerOf("dial"));
    });
    const greeted = metadata.then((answer) => {
      if (parseFeatures(answer(metadataKeys.features)[0]).has("half-close")) tunnel.allowHalfClose();
    }, () => {});
    follow(ownerOf("dial"), greeted);
    tunnel.dial();
  });
}

/** Counts the answers to the dial. */
function seen(stream: PacketStream, { answered }: Call): PacketStream {
  return wrapped(stream, {
    incoming: (handler) => ({
      onPacket(packet) {
        if (packet.type === PacketType.DIAL_RSP || packet.type === PacketType.DIAL_CLS) answered();
        handler.onPacket(packet);
      },
    }),
  });
}

/** A client that speaks HTTP CONNECT. */
async function dialConnect(call: Call, signal: AbortSignal): Promise<DialledStream> {
  const { server, address, network, answered } = call;
  const socket = await network.connect(hosts.clients, server, ports.connectClients, signal);
  socket.write(connectRequest(address));
  return await new Promise((resolve, reject) => {
    let isOpen = false;
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    signal.addEventListener("abort", () => fail(new ProxyError("dial-timeout", "no answer in time")));
    socket.once("data", (bytes) => {
      socket.pause();
      const first = bytes instanceof Uint8Array ? bytes : new Uint8Array(0);
      answered();
      if (!isAccepted(first[0])) return fail(new ProxyError("endpoint", "the proxy refused the dial"));
      isOpen = true;
      resolve(new ConnectStream(new SocketStream(socket.socket, first.subarray(1))));
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      if (!isOpen) fail(new ProxyError("tunnel-closed", "connection to the proxy was lost"));
    });
  });
}
