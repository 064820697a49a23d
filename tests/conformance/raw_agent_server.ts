import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import {
  constants,
  createSecureServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type Packet, PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { endLater } from "../../src/runtime/http/http2_guard.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { closeRequest, data, dialRequest, packetFrame } from "./raw_grpc.ts";

/** Response headers of a server in order. */
export const goodHeaders: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc",
  serverid: "raw-server",
  servercount: "1",
};

/** An agent's call, with every packet and byte in the test's hand. */
export class RawLink {
  readonly packets: Packet[] = [];
  readonly #stream: ServerHttp2Stream;
  #held = Buffer.alloc(0);
  #ended = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("end", () => this.#ended = true);
    stream.on("close", () => this.#ended = true);
  }

  /** The agent has left. */
  get ended(): boolean {
    return this.#ended;
  }

  sendBytes(bytes: Uint8Array): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.write(bytes);
  }

  send(packet: MessageInitShape<typeof PacketSchema>): void {
    this.sendBytes(packetFrame(packet));
  }

  /** Ends the call without the status that gRPC demands. */
  end(): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.end();
  }

  reset(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** Waits for a packet of a type and takes it and everything before it out of `packets`. */
  async next(type: PacketType): Promise<Packet> {
    const end = await until(`the agent sends a packet of type ${type}`, () => {
      const at = this.packets.findIndex((packet) => packet.type === type);
      if (at < 0 && this.#ended) throw new Error("the agent has left");
      return at + 1;
    });
    const [packet] = this.packets.splice(0, end).slice(-1);
    if (packet === undefined) throw new Error("the packet is gone");
    return packet;
  }

  /** Dials an echoing destination, exchanges text with it, and closes the connection. */
  async exchange(address: string, random: bigint, text: string): Promise<string> {
    this.send(dialRequest(address, random));
    for (;;) {
      const { payload } = await this.next(PacketType.DIAL_RSP);
      if (payload.case !== "dialResponse") throw new Error("DIAL_RSP without its payload");
      if (payload.value.random !== random) continue;
      if (payload.value.error !== "") throw new Error(`dial: ${payload.value.error}`);
      const id = payload.value.connectID;
      this.send(data(id, text));
      let back = "";
      while (back.length < text.length) {
        const { payload } = await this.next(PacketType.DATA);
        if (payload.case === "data" && payload.value.connectID === id) back += Buffer.from(payload.value.data);
      }
      this.send(closeRequest(id));
      await this.next(PacketType.CLOSE_RSP);
      return back;
    }
  }

  #take(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= 5) {
      const length = this.#held.readUInt32BE(1);
      if (this.#held.length < 5 + length) return;
      this.packets.push(fromBinary(PacketSchema, this.#held.subarray(5, 5 + length)));
      this.#held = this.#held.subarray(5 + length);
    }
  }
}

/** A server for agents whose every byte the test decides. */
export class RawAgentServer implements AsyncDisposable {
  readonly port: number;
  /** How the next calls are answered; `goodHeaders` unless the test says otherwise. */
  answer: (stream: ServerHttp2Stream) => void = (stream) => stream.respond(goodHeaders);
  readonly links: RawLink[] = [];
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(server: Http2Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("session", (session: ServerHttp2Session) => {
      endLater(session);
      this.#sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => this.#sessions.delete(session));
    });
    server.on("stream", (stream: ServerHttp2Stream) => {
      this.links.push(new RawLink(stream));
      this.answer(stream);
    });
  }

  static start({ caCert, serverCert, serverKey }: TestCertificateFiles): Promise<RawAgentServer> {
    const server = createSecureServer({
      ca: readFileSync(caCert),
      cert: readFileSync(serverCert),
      key: readFileSync(serverKey),
      requestCert: true,
      rejectUnauthorized: true,
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(new RawAgentServer(server, address.port));
      });
    });
  }

  /** Waits until an agent has called, not counting those that have left. */
  link(): Promise<RawLink> {
    return until("an agent is connected", () => this.links.find(({ ended }) => !ended)) as Promise<RawLink>;
  }

  [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.destroy();
    return closed;
  }
}
