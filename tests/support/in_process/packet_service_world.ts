import assert from "node:assert/strict";
import { type Code, ConnectError } from "@connectrpc/connect";
import { connectGrpc, type GrpcConnection } from "../../../src/net/http2/grpc_client.ts";
import type { GrpcListener, GrpcListenerOptions, listenGrpc } from "../../../src/net/http2/grpc_listener.ts";
import type { IncomingCall } from "../../../src/net/call/packet_service.ts";
import type { PacketStream, StreamEnd } from "../../../src/streams/packet_stream.ts";
import type { ConnectId } from "../../../src/wire/connect_id.ts";
import type { Packet } from "../../../src/wire/packet.ts";
import { testCertificates } from "./test_certificates.ts";
import { until } from "../assert/until.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

/** Opens a listener of packet services: one of the HTTP/2 implementations. */
export type Listen = typeof listenGrpc;

/** The packet service that a world serves. */
export const servicePath = "/ProxyService/Proxy";

/** One side of a packet stream, and what it was told. */
export class Side {
  readonly stream: PacketStream;
  readonly packets: Packet[] = [];
  bytes = 0;
  sum = 0;
  ended = false;
  drains = 0;
  end: StreamEnd | undefined;
  onBytes: ((id: ConnectId, payload: Uint8Array) => void) | undefined;

  constructor(stream: PacketStream) {
    this.stream = stream;
  }

  onData(id: ConnectId, payload: Uint8Array): void {
    this.bytes += payload.length;
    for (const byte of payload) this.sum = (this.sum * 31 + byte) | 0;
    this.onBytes?.(id, payload);
  }

  onPacket(packet: Packet): void {
    this.packets.push(packet);
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(): void {
    this.ended = true;
  }

  onClose(end: StreamEnd): void {
    this.end = end;
  }

  get errorCode(): Code | undefined {
    return this.end?.kind === "failed" ? ConnectError.from(this.end.error).code : undefined;
  }
}

export interface World extends AsyncDisposable {
  readonly socketPath: string;
  readonly listener: GrpcListener;
  readonly calls: IncomingCall[];
  readonly sides: Side[];
  readonly errors: Error[];
  connect(): Promise<GrpcConnection>;
}

/** A listener on a Unix socket that accepts every call, unless `handle` does something else. */
export async function world(
  listen: Listen,
  handle?: (call: IncomingCall) => void,
  options: Partial<GrpcListenerOptions> = {},
): Promise<World> {
  const dir = await Deno.makeTempDir();
  const socketPath = `${dir}/proxy.sock`;
  const calls: IncomingCall[] = [];
  const sides: Side[] = [];
  const errors: Error[] = [];
  const accept = (call: IncomingCall) => {
    const side = new Side(call.accept({ greeting: "hello" }));
    sides.push(side);
    side.stream.start(side);
  };
  const listener = await listen({
    address: { kind: "unix", path: socketPath, deleteExisting: true },
    services: [{
      path: servicePath,
      handle: (call) => {
        calls.push(call);
        (handle ?? accept)(call);
      },
    }],
    router: (request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      request.on("end", () => {
        if (request.url === "/trailers-only") {
          response.stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
          return;
        }
        response.writeHead(request.url === "/echo" ? 200 : 404, { "x-method": request.method });
        for (const chunk of chunks) response.write(chunk);
        response.addTrailers({ "x-trailer": "behind" });
        response.end();
      });
    },
    clock: systemClock,
    onConnectionError: (error) => errors.push(error),
    ...options,
  });
  return {
    socketPath,
    listener,
    calls,
    sides,
    errors,
    connect: () => connectGrpc({ kind: "unix", path: socketPath }, AbortSignal.timeout(20_000), systemClock),
    async [Symbol.asyncDispose]() {
      await listener.close();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Opens a call and starts its stream. */
export function open(connection: GrpcConnection, metadata: Record<string, string> = {}): Side {
  const side = new Side(connection.open(servicePath, metadata).stream);
  side.stream.start(side);
  return side;
}

/** The server's side of a world's call, in the order of their coming. */
export async function serverSide({ sides }: World, at = 0): Promise<Side> {
  return await until("the call arrived", () => sides[at]) ?? assert.fail();
}

/** A TLS listener that asks for client certificates of the tests' authority. */
export async function tlsWorld(listen: Listen): Promise<World & { readonly port: number }> {
  const { server, ca } = await testCertificates();
  const at = await world(listen, undefined, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls: {
      files: {
        material: { cert: server.certPem, key: server.keyPem, ca: ca.certPem },
        expirySeconds: undefined,
        onChange: () => () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    },
  });
  const { address } = at.listener;
  return {
    ...at,
    port: address.kind === "tcp" ? address.port : assert.fail(),
    [Symbol.asyncDispose]: at[Symbol.asyncDispose],
  };
}
