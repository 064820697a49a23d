import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { type Packet, PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { endLater } from "../../src/runtime/http/http2_guard.ts";
import { until } from "../support/assert/until.ts";
import { type Listener, openSocket } from "./raw_connect.ts";

/** A gRPC message: flag byte, length, body. `declared` lies about the length. */
export function frame(body: Uint8Array, flag: number = 0, declared: number = body.length): Uint8Array {
  const framed = new Uint8Array(5 + body.length);
  framed[0] = flag;
  new DataView(framed.buffer).setUint32(1, declared);
  framed.set(body, 5);
  return framed;
}

/** A packet as a gRPC message. */
export function packetFrame(packet: MessageInitShape<typeof PacketSchema>): Uint8Array {
  return frame(toBinary(PacketSchema, create(PacketSchema, packet)));
}

/** DIAL_REQ. */
export function dialRequest(
  address: string,
  random: bigint,
  protocol: string = "tcp",
): MessageInitShape<typeof PacketSchema> {
  const value = { protocol, address, random };
  return { type: PacketType.DIAL_REQ, payload: { case: "dialRequest", value } };
}

/** DATA. */
export function data(connectID: bigint, text: string): MessageInitShape<typeof PacketSchema> {
  return { type: PacketType.DATA, payload: { case: "data", value: { connectID, data: Buffer.from(text) } } };
}

/** CLOSE_REQ. */
export function closeRequest(connectID: bigint): MessageInitShape<typeof PacketSchema> {
  return { type: PacketType.CLOSE_REQ, payload: { case: "closeRequest", value: { connectID } } };
}

/** How a call ended. */
export interface CallEnd {
  /** grpc-status of the trailers; undefined when there were none. */
  readonly status: number | undefined;
  readonly message: string;
  /** HTTP/2 error code of the stream. */
  readonly reset: number;
}

/** A gRPC call on a connection of its own, with every packet and byte in the test's hand. */
export class RawCall implements AsyncDisposable {
  readonly packets: Packet[] = [];
  readonly ended: Promise<CallEnd>;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #closed: Promise<void>;
  #held = Buffer.alloc(0);
  #headers: Readonly<Record<string, unknown>> | undefined;
  #end: CallEnd | undefined;

  private constructor(
    session: ClientHttp2Session,
    path: string,
    metadata: Readonly<Record<string, string | readonly string[]>>,
  ) {
    this.#session = session;
    this.#closed = new Promise((resolve) => session.once("close", () => resolve()));
    session.on("error", () => {});
    this.#stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...metadata,
    }, { endStream: false });
    let status: number | undefined;
    let message = "";
    const trailers = (headers: Readonly<Record<string, unknown>>) => {
      if (headers["grpc-status"] === undefined) return;
      status = Number(headers["grpc-status"]);
      message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
    };
    this.#stream.on("response", (headers) => {
      this.#headers = headers;
      trailers(headers);
    });
    this.#stream.on("trailers", trailers);
    this.#stream.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#stream.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const onEnd = () => {
        this.#end ??= { status, message, reset: this.#stream.rstCode ?? constants.NGHTTP2_NO_ERROR };
        resolve(this.#end);
      };
      // The server has said its last word at `end`; the stream may stay half-open until the client has, too.
      this.#stream.once("end", onEnd);
      this.#stream.once("close", onEnd);
    });
  }

  /** Calls a method over a connection of its own; the authority over a Unix socket is written as Go clients write it. */
  static async open(
    listener: Listener,
    path: string = "/ProxyService/Proxy",
    metadata: Readonly<Record<string, string | readonly string[]>> = {},
  ): Promise<RawCall> {
    const socket = await openSocket(listener, "h2");
    const overUds = listener.uds !== "";
    const session: ClientHttp2Session = connect(overUds ? "http://localhost" : `https://127.0.0.1:${listener.port}`, {
      createConnection: () => socket,
    });
    endLater(session);
    await new Promise<void>((resolve, reject) => {
      session.once("remoteSettings", () => resolve());
      session.once("error", reject);
    });
    return new RawCall(session, path, {
      ...(overUds ? { ":authority": encodeURIComponent(listener.uds) } : {}),
      ...metadata,
    });
  }

  /** Response headers, once they have come. */
  async headers(): Promise<Readonly<Record<string, unknown>>> {
    return await until("response headers come", () => this.#headers ?? this.#failedEarly()) as Readonly<
      Record<string, unknown>
    >;
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.write(bytes);
  }

  send(...packets: MessageInitShape<typeof PacketSchema>[]): void {
    this.sendBytes(Buffer.concat(packets.map(packetFrame)));
  }

  /** Half-closes the call. */
  end(): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.end();
  }

  /** Resets the call. */
  reset(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Waits for a packet of a type, takes it and everything before it out of `packets`. */
  async next(type: PacketType): Promise<Packet> {
    const at = await until(
      `a packet of type ${type} comes, after types ${this.packets.map((packet) => packet.type)}`,
      () => {
        const index = this.packets.findIndex((packet) => packet.type === type);
        return index >= 0 ? index + 1 : this.#failedEarly();
      },
    );
    const [packet] = this.packets.splice(0, Number(at)).slice(-1);
    if (packet === undefined) throw new Error("the packet is gone");
    return packet;
  }

  /** Dials and returns the connection's id. */
  async dial(address: string, random: bigint = 1n): Promise<bigint> {
    this.send(dialRequest(address, random));
    const { payload } = await this.next(PacketType.DIAL_RSP);
    if (payload.case !== "dialResponse") throw new Error("DIAL_RSP without its payload");
    if (payload.value.error !== "") throw new Error(`dial: ${payload.value.error}`);
    return payload.value.connectID;
  }

  /** Takes bytes of a connection out of `packets` until as many have come. */
  async bytes(id: bigint, length: number): Promise<string> {
    let text = "";
    while (text.length < length) {
      const { payload } = await this.next(PacketType.DATA);
      if (payload.case === "data" && payload.value.connectID === id) {
        text += Buffer.from(payload.value.data).toString("latin1");
      }
    }
    return text;
  }

  /** Sends text to an echoing destination and takes it back. */
  async exchange(id: bigint, text: string): Promise<string> {
    this.send(data(id, text));
    return await this.bytes(id, text.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    await this.#closed;
  }

  #failedEarly(): undefined {
    if (this.#end !== undefined) throw new Error(`the call has ended: ${JSON.stringify(this.#end)}`);
    return undefined;
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
