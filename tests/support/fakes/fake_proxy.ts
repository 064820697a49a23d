import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import { createServer, type Socket } from "node:net";
import { connect, type ConnectOptions, type ProxyClient } from "../../../src/client/mod.ts";
import { dialTcp } from "../../../src/net/tcp/dial_tcp.ts";
import { listenConnect } from "../../../src/net/http_connect/connect_listener.ts";
import { type GrpcListener, listenGrpc } from "../../../src/net/http2/grpc_listener.ts";
import type { IncomingCall } from "../../../src/net/call/packet_service.ts";
import { SocketStream } from "../../../src/net/tcp/socket_stream.ts";
import type { TlsMaterial } from "../../../src/net/tls/tls_files.ts";
import type { ServerTls } from "../../../src/net/tls/tls_server.ts";
import type { ByteStream } from "../../../src/streams/byte_stream.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../../src/streams/packet_stream.ts";
import { type ConnectId, connectId } from "../../../src/wire/connect_id.ts";
import { closeResponse, dialed, dialFailed, type Packet, packetTypeName } from "../../../src/wire/packet.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import { dialContext } from "../../../src/dial/connector.ts";
import { splice } from "./splice.ts";

const context = dialContext("destinations", systemClock);

/** The part of a client's options that a test leaves open. */
export type Rest = Partial<Pick<ConnectOptions, "dialTimeoutMs" | "closeTimeoutMs" | "events" | "userAgent">>;

/** A proxy that a test plays, on a Unix socket. */
export interface FakeProxy extends AsyncDisposable {
  readonly path: string;
  /** A client of it. */
  connect(rest?: Rest): Promise<ProxyClient>;
}

/** What a fake gRPC proxy does in one call; what is missing is not answered. */
export interface CallScript {
  onDial?(call: FakeCall): void;
  onDialClosed?(call: FakeCall): void;
  onData?(call: FakeCall, id: ConnectId, payload: Uint8Array): void;
  onCloseRequest?(call: FakeCall, id: ConnectId): void;
  onDrain?(call: FakeCall): void;
  /** The stream is gone. */
  onGone?(call: FakeCall): void;
}

/** One call of ProxyService.Proxy, as the fake proxy sees it. */
export class FakeCall implements PacketStreamHandler {
  readonly stream: PacketStream;
  readonly call: IncomingCall;
  /** What came, in order: `DIAL_REQ host:port`, `DATA id bytes`, `CLOSE_REQ id`, `DIAL_CLS`, `end`. */
  readonly log: string[] = [];
  random = 0n;
  address = "";
  dataBytes = 0;
  end: StreamEnd | undefined;
  readonly #script: CallScript;

  constructor(call: IncomingCall, script: CallScript) {
    this.call = call;
    this.#script = script;
    this.stream = call.accept({});
    this.stream.start(this);
  }

  answer(id: ConnectId): void {
    this.stream.sendPacket(dialed(this.random, id));
  }

  fail(error: string): void {
    this.stream.sendPacket(dialFailed(this.random, error));
  }

  /** Ends the tunnel as a proxy does when the destination has closed. */
  finish(id: ConnectId, error = ""): void {
    this.stream.sendPacket(closeResponse(id, error));
    this.stream.end();
  }

  onData(id: ConnectId, payload: Uint8Array): void {
    this.log.push(`DATA ${id} ${payload.length}`);
    this.dataBytes += payload.length;
    this.#script.onData?.(this, id, payload);
  }

  onPacket(packet: Packet): void {
    const { payload } = packet;
    if (payload.case === "dialRequest") {
      this.random = payload.value.random;
      this.address = payload.value.address;
      this.log.push(`DIAL_REQ ${payload.value.protocol} ${payload.value.address}`);
      this.#script.onDial?.(this);
    } else if (payload.case === "closeRequest") {
      this.log.push(`CLOSE_REQ ${payload.value.connectID}`);
      this.#script.onCloseRequest?.(this, connectId(payload.value.connectID));
    } else if (payload.case === "closeDial") {
      this.log.push(payload.value.random === this.random ? "DIAL_CLS" : "DIAL_CLS of another dial");
      this.#script.onDialClosed?.(this);
    } else {
      this.log.push(packetTypeName(packet.type));
    }
  }

  onDrain(): void {
    this.#script.onDrain?.(this);
  }

  onEnd(): void {
    this.log.push("end");
    this.stream.end();
  }

  onClose(end: StreamEnd): void {
    this.end = end;
    this.#script.onGone?.(this);
  }
}

/** Answers every dial with connection 1, sends data back, confirms closes. */
export const echoScript: CallScript = {
  onDial: (call) => call.answer(1),
  onData: (call, id, payload) => void call.stream.sendData(id, payload),
  onCloseRequest: (call, id) => call.finish(id),
};

/** A gRPC proxy whose calls follow a script; `calls` has them in the order in which they came. */
export async function fakeGrpcProxy(
  script: CallScript,
): Promise<FakeProxy & { readonly calls: readonly FakeCall[]; readonly listener: GrpcListener }> {
  const path = await socketPath();
  const calls: FakeCall[] = [];
  const listener = await listenGrpc({
    address: { kind: "unix", path, deleteExisting: true },
    services: [{ path: "/ProxyService/Proxy", handle: (call) => void calls.push(new FakeCall(call, script)) }],
    router: (_, response) => response.writeHead(404).end(),
    clock: systemClock,
    onConnectionError: () => {},
  });
  return {
    path,
    calls,
    listener,
    connect: (rest = {}) => connect({ mode: "grpc", transport: "unix", path, ...rest }),
    [Symbol.asyncDispose]: async () => {
      await listener.close();
      await removeSocketPath(path);
    },
  };
}

/** A gRPC proxy on TCP with TLS, with {@link echoScript}. */
export async function fakeTlsGrpcProxy(tls: ServerTls): Promise<AsyncDisposable & { readonly port: number }> {
  const listener = await listenGrpc({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls,
    services: [{ path: "/ProxyService/Proxy", handle: (call) => void new FakeCall(call, echoScript) }],
    router: (_, response) => response.writeHead(404).end(),
    clock: systemClock,
    onConnectionError: () => {},
  });
  if (listener.address.kind !== "tcp") throw new Error("no port");
  return { port: listener.address.port, [Symbol.asyncDispose]: () => listener.close() };
}

/** A gRPC proxy that is its own agent: it reaches real destinations, with backpressure both ways. */
export function relayGrpcProxy(): ReturnType<typeof fakeGrpcProxy> {
  const endpoints = new Map<FakeCall, ByteStream>();
  return fakeGrpcProxy({
    onDial: (call) => void relayDial(call, endpoints),
    onDrain: (call) => endpoints.get(call)?.resume(),
    onData: (call, _, payload) => {
      if (endpoints.get(call)?.write(payload) === false) call.stream.pause();
    },
    onCloseRequest: (call) => endpoints.get(call)?.end(),
    onGone: (call) => endpoints.get(call)?.destroy(),
  });
}

async function relayDial(call: FakeCall, endpoints: Map<FakeCall, ByteStream>): Promise<void> {
  const result = await dialTcp(
    "tcp",
    call.address,
    { timeoutMs: 20_000, signal: new AbortController().signal },
    context,
  );
  if (!result.ok) return call.fail(result.failure.message);
  endpoints.set(call, result.stream);
  call.answer(1);
  result.stream.start({
    onData: (bytes) => {
      if (!call.stream.sendData(1, bytes)) result.stream.pause();
    },
    onDrain: () => call.stream.resume(),
    onEnd: () => result.stream.end(),
    onClose: (error) => {
      endpoints.delete(call);
      call.finish(1, error?.message);
    },
  });
}

/** Response headers of a gRPC call that was taken. */
export const grpcHeaders = { ":status": 200, "content-type": "application/grpc" };

/** A server on a Unix socket that gets bare HTTP/2 streams, to break gRPC in ways that no gRPC stack can. */
export async function rawGrpcProxy(
  onStream: (stream: ServerHttp2Stream) => void,
  settings: Settings = {},
): Promise<FakeProxy> {
  const path = await socketPath();
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server({ settings });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    onStream(stream);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    connect: (rest = {}) => connect({ mode: "grpc", transport: "unix", path, ...rest }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      await closed;
      await removeSocketPath(path);
    },
  };
}

/** A Unix socket behind which anything may be: what it does with each connection is the test's. */
export async function rawProxy(onConnection: (socket: Socket) => void): Promise<
  AsyncDisposable & {
    readonly path: string;
    /** Clients that have not ended their side. */
    readonly open: number;
  }
> {
  const path = await socketPath();
  const sockets = new Set<Socket>();
  const connected = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    connected.add(socket);
    socket.on("error", () => {});
    socket.on("end", () => connected.delete(socket));
    socket.on("close", () => {
      sockets.delete(socket);
      connected.delete(socket);
    });
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    get open() {
      return connected.size;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
      await removeSocketPath(path);
    },
  };
}

/** An HTTP CONNECT proxy that does with each connection what the test wants; the head of the request was read. */
export async function fakeConnectProxy(
  onConnect: (socket: Socket, head: string) => void,
): Promise<FakeProxy & { readonly open: number }> {
  const proxy = await rawProxy((socket) => {
    let head = "";
    const onData = (bytes: Uint8Array) => {
      head += new TextDecoder("latin1").decode(bytes);
      if (!head.endsWith("\r\n\r\n")) return;
      socket.off("data", onData);
      onConnect(socket, head);
    };
    socket.on("data", onData);
  });
  return {
    path: proxy.path,
    get open() {
      return proxy.open;
    },
    connect: (rest = {}) => connect({ mode: "http-connect", transport: "unix", path: proxy.path, ...rest }),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** The answer that opens a tunnel. */
export const established = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** An HTTP CONNECT proxy that is its own agent. */
export function relayConnectProxy(): ReturnType<typeof fakeConnectProxy> {
  return fakeConnectProxy((socket, head) => {
    void relayConnect(head.split(" ")[1] ?? "", (answer) => {
      if (answer === undefined) socket.write(established);
      else socket.end(`HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n${answer}`);
      return new SocketStream(socket);
    });
  });
}

/** The same on TCP with TLS, by the project's own listener. */
export async function relayTlsConnectProxy(
  material: TlsMaterial,
): Promise<AsyncDisposable & { readonly port: number }> {
  const listener = await listenConnect({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls: fixedTls(material),
    fetch: async (request, bindings) => {
      const address = decodeURIComponent(new URL(request.url).pathname.slice(1));
      const result = await dialTcp("tcp", address, { timeoutMs: 20_000, signal: request.signal }, context);
      if (!result.ok) return new Response(result.failure.message, { status: 502 });
      bindings.tunnel = (client) => splice(client, result.stream);
      return new Response(null);
    },
    clock: systemClock,
    onConnectionError: () => {},
  });
  if (listener.address.kind !== "tcp") throw new Error("no port");
  return { port: listener.address.port, [Symbol.asyncDispose]: () => listener.close() };
}

/** Certificates that never change, as listeners take them. */
export function fixedTls(material: TlsMaterial): ServerTls {
  return {
    files: { material, expirySeconds: undefined, onChange: () => () => {}, [Symbol.asyncDispose]: async () => {} },
  };
}

async function relayConnect(address: string, answer: (error: string | undefined) => ByteStream): Promise<void> {
  const result = await dialTcp("tcp", address, { timeoutMs: 20_000, signal: new AbortController().signal }, context);
  if (!result.ok) return void answer(result.failure.message);
  splice(answer(undefined), result.stream);
}

async function socketPath(): Promise<string> {
  return `${await Deno.makeTempDir({ prefix: "proxy" })}/s`;
}

async function removeSocketPath(path: string): Promise<void> {
  await Deno.remove(path.slice(0, -2), { recursive: true });
}
