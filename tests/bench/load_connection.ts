import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { withReadBackpressure } from "../../src/runtime/tls/tls_backpressure.ts";
import type { ConnectId } from "../../src/wire/connect_id.ts";
import { dataHeader } from "../../src/wire/data_header.ts";
import { closeRequest, dialRequest, framePacket, type Packet } from "../../src/wire/packet.ts";
import { PacketReader } from "../../src/wire/packet_reader.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";
import { RawH2Client } from "./raw_h2_client.ts";

/** A frontend that is measured. */
export interface Frontend {
  readonly protocol: "grpc" | "http";
  /** Path of its Unix socket; empty: TLS. */
  readonly uds: string;
  /** Its port on 127.0.0.1, with mutual TLS. */
  readonly port: number;
  readonly certificates: TestCertificateFiles;
}

/**
 * A tunnelled connection as a load generator needs it: as little work as can be, so that a measurement shows the proxy.
 * As kube-apiserver does, each has a connection to the frontend of its own.
 */
export interface LoadConnection {
  /** Takes what the destination sends. */
  onData: (bytes: Uint8Array) => void;
  /** Sends bytes; fulfilled when more may be sent. */
  write(bytes: Uint8Array): Promise<void>;
  /** Stops reading. */
  stall(): void;
  /** Fulfilled when the connection is gone, whoever ended it. */
  readonly gone: Promise<void>;
  /** Ends the tunnel in order; fulfilled when its end is known. */
  close(): Promise<void>;
  /** Drops the connection without a word; fulfilled when it is gone. */
  vanish(): Promise<void>;
}

/** Fulfilled when as many bytes have come. */
export function received(connection: LoadConnection, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    connection.onData = (part) => {
      left -= part.length;
      if (left <= 0) resolve();
    };
  });
}

const files = new Map<string, string>();

function read(path: string): string {
  const known = files.get(path) ?? readFileSync(path, "utf8");
  files.set(path, known);
  return known;
}

function open({ protocol, uds, port, certificates }: Frontend): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (uds !== "") {
      const socket = connect(uds, () => resolve(socket));
      return void socket.once("error", reject);
    }
    const secured: TLSSocket = connectTls({
      host: "127.0.0.1",
      port,
      ca: read(certificates.caCert),
      cert: read(certificates.clientCert),
      key: read(certificates.clientKey),
      ...(protocol === "grpc" ? { ALPNProtocols: ["h2"] } : {}),
    }, () => {
      withReadBackpressure(secured);
      secured.setNoDelay(true);
      resolve(secured);
    });
    secured.once("error", reject);
  });
}

/**
 * Dials a destination through a frontend.
 * @throws with the proxy's words when it does not get through
 */
export async function dialThrough(frontend: Frontend, address: string): Promise<LoadConnection> {
  const socket = await open(frontend);
  try {
    return await (frontend.protocol === "http" ? dialConnect(socket, address) : dialGrpc(socket, address));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function dialConnect(socket: Socket, address: string): Promise<LoadConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadConnection>();
  let head: Uint8Array | undefined = new Uint8Array(0);
  let drained: (() => void) | undefined;
  const closed = new Promise<void>((done) => socket.once("close", () => done()));
  const connection: LoadConnection = {
    onData: () => {},
    write(bytes) {
      return socket.write(bytes) ? Promise.resolve() : new Promise((done) => drained = done);
    },
    stall: () => void socket.pause(),
    gone: closed,
    close() {
      socket.destroy();
      return closed;
    },
    vanish() {
      socket.destroy();
      return closed;
    },
  };
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the proxy closed the connection")));
  socket.on("drain", () => drained?.());
  socket.on("data", (bytes: Uint8Array) => {
    if (head === undefined) return connection.onData(bytes);
    const text = new TextDecoder("latin1").decode(head) + new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      head = new Uint8Array([...head, ...bytes]);
      return;
    }
    const early = bytes.subarray(end + 4 - head.length);
    head = undefined;
    if (!/^HTTP\/1\.\d 200 /.test(text)) return reject(new Error(`CONNECT: ${text.slice(0, text.indexOf("\r\n"))}`));
    resolve(connection);
    if (early.length > 0) queueMicrotask(() => connection.onData(early));
  });
  socket.write(`CONNECT ${address} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  return promise;
}

let nextRandom = 1n;

function dialGrpc(socket: Socket, address: string): Promise<LoadConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadConnection>();
  const client = new RawH2Client(socket);
  const ended = Promise.withResolvers<void>();
  socket.on("error", reject);
  socket.on("close", () => {
    ended.resolve();
    reject(new Error("the proxy closed the connection"));
  });
  let id: ConnectId = 0;
  /** What was framed last: measurements send the same bytes again and again. */
  let framed: { readonly bytes: Uint8Array; readonly packet: Uint8Array } | undefined;
  const connection: LoadConnection = {
    onData: () => {},
    write(bytes) {
      if (framed?.bytes !== bytes) {
        const header = dataHeader(id, bytes.length);
        const packet = new Uint8Array(header.length + bytes.length);
        packet.set(header);
        packet.set(bytes, header.length);
        framed = { bytes, packet };
      }
      return client.send(stream, framed.packet);
    },
    stall: () => void socket.pause(),
    gone: ended.promise,
    async close() {
      client.sendNow(stream, framePacket(closeRequest(id)));
      await ended.promise;
      client.close();
    },
    async vanish() {
      socket.destroy();
      await ended.promise;
    },
  };
  const onPacket = ({ payload }: Packet) => {
    // The original keeps the call open after it.
    if (payload.case === "closeResponse") return ended.resolve();
    if (payload.case !== "dialResponse") return;
    if (payload.value.error !== "") return reject(new Error(payload.value.error));
    id = payload.value.connectID;
    resolve(connection);
  };
  const reader = new PacketReader({ onData: (_id, bytes) => connection.onData(bytes), onPacket });
  const stream: number = client.open(framePacket(dialRequest({ protocol: "tcp", address }, nextRandom++)), {
    onData: (bytes) => reader.push(bytes),
    onEnd: () => {
      ended.resolve();
      reject(new Error("the proxy ended the call"));
    },
  });
  return promise;
}
