import { getLogger } from "@logtape/logtape";
import type { ByteStreamHandler } from "../streams/byte_stream.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../streams/packet_stream.ts";
import { nextState, type TunnelEvent, type TunnelState } from "../mux/tunnel_state.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import {
  closeDial,
  closeRequest,
  closeWrite,
  dialRequest,
  type DialTarget,
  type Packet,
  PacketType,
} from "../wire/packet.ts";
import type { DialledStream } from "./dialled_stream.ts";
import { dialRefused, ProxyError } from "./proxy_error.ts";
import { streamLost } from "./stream_lost.ts";

const log = getLogger(["client", "tunnel"]);

/** Payload of one DATA packet at most: grpc servers refuse messages beyond 4 MiB, and large ones delay their neighbours. */
const maxPayloadBytes = 64 * 1024;

/** Connections of others that a proxy may mention on this stream before it counts as broken. */
const maxStrangers = 16;

/** What a packet tunnel reports to whoever dialled. */
export interface PacketTunnelHooks {
  /** The dial ended: with an error, or open. Called once. */
  readonly onDialed: (error: ProxyError | undefined) => void;
  /** The stream ended in an error, by which the dial or the open tunnel fails. */
  readonly onStreamFailed: (error: Error) => void;
}

/**
 * One tunnel on a packet stream of its own: the dial, then bytes both ways, then the end. Pure: what takes time, such as
 * a dial or a close that is never answered, is for the owner to limit with {@link giveUp} and {@link destroy}.
 */
export class PacketTunnel implements DialledStream, PacketStreamHandler {
  readonly #stream: PacketStream;
  readonly #target: DialTarget;
  /** Pairs the proxy's answer with the dial; 63 random bits. */
  readonly #random: bigint;
  readonly #hooks: PacketTunnelHooks;
  #state: TunnelState = "dialing";
  #connectId: ConnectId = 0;
  #handler: ByteStreamHandler | undefined;
  /** Bytes that came right behind the answer, before anybody was there to take them. */
  #early: Uint8Array[] = [];
  /** How the tunnel ended, once it did; an undefined error is an end in order. */
  #end: { readonly error: ProxyError | undefined } | undefined;
  readonly #strangers = new Set<ConnectId>();
  /** The proxy takes CLOSE_WRITE, and sends it. */
  #halfCloses = false;
  #ended = false;
  #peerEnded = false;
  #endTold = false;

  constructor(stream: PacketStream, target: DialTarget, random: bigint, hooks: PacketTunnelHooks) {
    this.#stream = stream;
    this.#target = target;
    this.#random = random;
    this.#hooks = hooks;
  }

  /** Sends the dial. Called once. */
  dial(): void {
    this.#stream.start(this);
    this.#stream.sendPacket(dialRequest(this.#target, this.#random));
  }

  /** Gives the dial up and informs the proxy; `error` is what the dial fails with. Nothing once it was answered. */
  giveUp(error: ProxyError): void {
    if (this.#state !== "dialing") return;
    this.#stream.sendPacket(closeDial(this.#random));
    this.#fail("client-closed", error);
    // In order, not by a reset, which could overtake the packet.
    this.#stream.end();
  }

  /** The proxy said that it knows half-close; known with its response headers, before its answer to the dial. */
  allowHalfClose(): void {
    this.#halfCloses = true;
  }

  get state(): TunnelState {
    return this.#state;
  }

  // ---- DialledStream: from the owner ----

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) handler.onData(bytes);
    if (this.#end !== undefined) return this.#report(handler, this.#end.error);
    if (this.#peerEnded) this.#reportEnd(handler);
    this.#stream.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== "open" || this.#ended) return true;
    let more = true;
    for (let at = 0; at < bytes.length; at += maxPayloadBytes) {
      more = this.#stream.sendData(this.#connectId, bytes.subarray(at, at + maxPayloadBytes));
    }
    return more;
  }

  pause(): void {
    if (this.#state === "open") this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Where the proxy does not know half-close the peer learns nothing, and reading goes on until it ends the tunnel. */
  end(): void {
    if (this.#state !== "open" || this.#ended || !this.#halfCloses) return;
    this.#ended = true;
    this.#stream.sendPacket(closeWrite(this.#connectId));
  }

  close(): void {
    if (this.#state !== "open" || !this.#moved("client-closed")) return;
    this.#stream.sendPacket(closeRequest(this.#connectId));
    this.#stream.resume();
  }

  destroy(): void {
    if (this.#state === "closed") return;
    const error = new ProxyError("tunnel-closed", `tunnel to ${this.#target.address} was dropped by this side`);
    this.#fail("link-lost", error);
    this.#stream.destroy(error);
  }

  // ---- PacketStreamHandler: from the proxy ----

  onData(id: ConnectId, payload: Uint8Array): void {
    if (id !== this.#connectId || id === 0) this.#stranger(id);
    else if (this.#state === "open" && !this.#peerEnded) this.#deliver(payload);
  }

  onPacket(packet: Packet): void {
    const { payload } = packet;
    switch (packet.type) {
      case PacketType.DIAL_RSP:
        if (payload.case === "dialResponse") {
          const { random, connectID, error } = payload.value;
          this.#onDialResponse(random, connectId(connectID), error);
        }
        break;
      case PacketType.DIAL_CLS:
        if (payload.case === "closeDial" && payload.value.random === this.#random) this.#onDialClosed();
        break;
      case PacketType.CLOSE_RSP:
        if (payload.case === "closeResponse" && connectId(payload.value.connectID) === this.#connectId) {
          this.#onCloseResponse(payload.value.error);
        }
        break;
      case PacketType.CLOSE_WRITE:
        if (payload.case === "closeWrite" && connectId(payload.value.connectID) === this.#connectId) {
          this.#onPeerEnded();
        }
        break;
      default:
        // Nothing else comes from a proxy; packets of later versions are not for this client.
        log.debug("ignored packet of type {type} from the proxy", { type: packet.type });
    }
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onEnd(): void {
    this.#stream.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#state === "closed") return;
    if (end.kind === "failed") {
      this.#hooks.onStreamFailed(end.error);
      this.#fail("link-lost", streamLost(end.error, this.#state === "dialing"));
    } else {
      this.#fail("link-lost", new ProxyError("tunnel-closed", "proxy ended the stream without a word"));
    }
  }

  // ---- own ----

  #onDialResponse(random: bigint, id: ConnectId, error: string): void {
    if (this.#state !== "dialing") return;
    if (random !== this.#random) {
      this.giveUp(new ProxyError("protocol-error", "proxy answered a dial that was not made on this stream"));
    } else if (error !== "") {
      this.#fail("dial-failed", dialRefused(error));
      this.#stream.end();
    } else if (id === 0) {
      this.giveUp(new ProxyError("protocol-error", "proxy opened a tunnel without a connection id"));
    } else if (this.#moved("dialed")) {
      this.#connectId = id;
      // Until there is a handler; what the proxy sent along already still comes and is kept.
      this.#stream.pause();
      this.#hooks.onDialed(undefined);
    }
  }

  #onDialClosed(): void {
    if (this.#state === "dialing") {
      this.#fail("dial-failed", new ProxyError("dial-closed", "dial closed by the proxy"));
    } else {
      this.#fail("agent-closed", new ProxyError("connection-broken", "proxy took back the dial of an open tunnel"));
    }
    this.#stream.end();
  }

  #onPeerEnded(): void {
    if (this.#state !== "open" || this.#peerEnded) return;
    this.#peerEnded = true;
    if (this.#handler !== undefined) this.#reportEnd(this.#handler);
  }

  #onCloseResponse(error: string): void {
    if (this.#state !== "open" && this.#state !== "closing") return;
    this.#fail("agent-closed", error === "" ? undefined : new ProxyError("connection-broken", error));
    this.#stream.end();
  }

  #deliver(payload: Uint8Array): void {
    if (this.#handler === undefined) this.#early.push(payload);
    else this.#handler.onData(payload);
  }

  /** Asks for the end of a connection that nobody here knows, once for each. */
  #stranger(id: ConnectId): void {
    if (id === 0 || this.#state === "closed" || this.#strangers.has(id)) return;
    if (this.#strangers.size < maxStrangers) {
      this.#strangers.add(id);
      log.warn("proxy sent DATA for connection {id}, which is not this stream's; asking to close it", { id });
      this.#stream.sendPacket(closeRequest(id));
      return;
    }
    const error = new ProxyError("protocol-error", `proxy sent DATA for over ${maxStrangers} unknown connections`);
    this.#fail("link-lost", error);
    this.#stream.destroy(error);
  }

  /** Takes an event that ends the dial or the tunnel, and reports it to whoever waits for either. */
  #fail(event: TunnelEvent, error: ProxyError | undefined): void {
    const was = this.#state;
    if (!this.#moved(event)) return;
    this.#end = { error };
    // Reading goes on, so that the stream's own end is seen.
    this.#stream.resume();
    if (was === "dialing") this.#hooks.onDialed(error);
    else if (this.#handler !== undefined) this.#report(this.#handler, error);
  }

  #reportEnd(handler: ByteStreamHandler): void {
    if (this.#endTold) return;
    this.#endTold = true;
    handler.onEnd();
  }

  #report(handler: ByteStreamHandler, error: ProxyError | undefined): void {
    if (error === undefined) this.#reportEnd(handler);
    handler.onClose(error);
  }

  #moved(event: TunnelEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
