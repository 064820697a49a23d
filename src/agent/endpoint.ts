import type { ByteStream, ByteStreamHandler } from "../tunnel/byte_stream.ts";
import type { Lane, LaneSource } from "../tunnel/fair_writer.ts";
import type { ReceiveWindow } from "../tunnel/receive_window.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { closeResponse, closeWrite, type Packet, windowCredit } from "../wire/packet.ts";
import type { EndpointCloseReason } from "./agent_events.ts";
import { type EndpointEvent, type EndpointState, nextEndpointState } from "./endpoint_state.ts";
import { EndpointWriter } from "./endpoint_writer.ts";

/** Who began the end of a connection. */
export type EndpointCloseInitiator = "client" | "destination" | "agent";

/** What an endpoint needs of its link; the link is it. */
export interface EndpointLink {
  /** The link can tell the end of one direction. */
  readonly halfClose: boolean;
  sendPacket(packet: Packet): void;
  /** The endpoint's way onto the link. */
  lane(endpoint: Endpoint): Lane;
  /** The tunnel's window; undefined on a link without windows. */
  window(): ReceiveWindow | undefined;
  /** How much waits for the destination has changed, on a link without windows. */
  heldChanged(endpoint: Endpoint): void;
  /** The tunnel is over, the socket may still have bytes to write. */
  ended(endpoint: Endpoint, reason: EndpointCloseReason, initiator: EndpointCloseInitiator): void;
  /** The socket is gone too. */
  gone(endpoint: Endpoint): void;
}

/**
 * One tunnel's end in the agent: the connection to its destination, from the dial on. The link and the socket both call
 * in; each event is taken where the state allows it, and ignored elsewhere.
 */
export class Endpoint implements ByteStreamHandler, LaneSource {
  readonly id: ConnectId;
  /** The client's number for its dial. */
  readonly random: bigint;
  readonly #link: EndpointLink;
  readonly #discardBytes: number;
  /** Gives the dial up; absent once it has ended. */
  #giveUp: AbortController | undefined;
  #state: EndpointState = "dialing";
  #stream: ByteStream | undefined;
  #writer: EndpointWriter | undefined;
  #lane: Lane | undefined;
  #window: ReceiveWindow | undefined;
  #discarded = 0;
  #socketGone = false;

  /**
   * @param giveUp gives the dial up
   * @param discardBytes that are read of the destination and dropped once the tunnel is over, before the socket is dropped
   */
  constructor(id: ConnectId, random: bigint, giveUp: AbortController, link: EndpointLink, discardBytes: number) {
    this.id = id;
    this.random = random;
    this.#giveUp = giveUp;
    this.#link = link;
    this.#discardBytes = discardBytes;
  }

  get state(): EndpointState {
    return this.#state;
  }

  /** The tunnel has ended; what is left of it are last bytes, each way. */
  get over(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /** Bytes that wait for the destination. */
  get heldBytes(): number {
    return this.#writer?.heldBytes ?? 0;
  }

  /** Bytes that wait here, for either side. */
  get queuedBytes(): number {
    return this.heldBytes + (this.#lane?.queuedBytes ?? 0);
  }

  // ---- the dial ----

  /** The destination was reached; bytes flow from now on. Returns false when nobody waits for it any more. */
  dialed(stream: ByteStream): boolean {
    if (!this.#moved("dialed")) return false;
    this.#giveUp = undefined;
    this.#stream = stream;
    this.#lane = this.#link.lane(this);
    this.#window = this.#link.window();
    this.#writer = new EndpointWriter(stream, (bytes) => this.#taken(bytes));
    return true;
  }

  /** Starts delivery of the destination's bytes, once the client was told of the dial's success. */
  start(): void {
    this.#stream?.start(this);
  }

  dialFailed(): boolean {
    return this.#moved("dial-failed");
  }

  // ---- from the link ----

  /** Bytes for the destination. Returns false when it takes none: for the client this connection is unknown. */
  deliver(payload: Uint8Array): boolean {
    if (this.#state !== "open" && this.#state !== "destination-done") return this.#state === "client-done";
    if (this.#window?.arrived(payload.length) === false) {
      this.refuse("reset", "server sent more than the tunnel's window");
      return true;
    }
    this.#lane?.heard(payload.length);
    this.#writer?.write(payload);
    if (this.#window === undefined && this.heldBytes > 0) this.#link.heldChanged(this);
    return true;
  }

  /** The link returned credit for the destination's bytes. */
  granted(): void {
    this.#lane?.granted();
  }

  /** The client sends no more. */
  clientEnded(): void {
    if (!this.#moved("client-ended")) return;
    this.#writer?.end();
    if (this.#state === "closing") {
      this.#finish();
      this.#link.ended(this, "closed", "destination");
    }
  }

  /** The client closes, or gives its dial up. Returns false when it had been told of the end before. */
  clientClosed(): boolean {
    const was = this.#state;
    if (!this.#moved("client-closed")) return false;
    if (was === "dialing") {
      this.#giveUp?.abort(new Error("client gave up"));
      return true;
    }
    // With windows, what waits for credit would wait for ever: the client does not read any more.
    if (this.#window !== undefined) this.#lane?.drop();
    this.#finish();
    this.#writer?.end();
    this.#discardReads();
    this.#link.ended(this, "closed", "client");
    return true;
  }

  /** Drops the destination's bytes that wait for the client, and the end behind them. */
  dropUnsent(): void {
    this.#lane?.drop();
  }

  /** Ends the tunnel at once and tells the client why. */
  refuse(reason: EndpointCloseReason, message: string): void {
    if (!this.#moved("refused")) return;
    this.#lane?.drop();
    this.#link.sendPacket(closeResponse(this.id, message));
    this.#link.ended(this, reason, "agent");
    this.#drop();
  }

  /** The link is gone, or about to go. What a finished tunnel still has to write is written. */
  linkLost(reason: EndpointCloseReason): void {
    const was = this.#state;
    if (!this.#moved("link-lost")) return;
    this.#lane?.drop();
    if (was === "dialing") {
      this.#giveUp?.abort(new Error("link lost"));
      return;
    }
    this.#link.ended(this, reason, "agent");
    this.#drop();
  }

  /** Drops the socket of a tunnel that is over. */
  destroy(): void {
    if (this.#moved("broken")) this.#drop();
  }

  // ---- LaneSource ----

  laneWritable(): void {
    if (this.#state === "open" || this.#state === "client-done") this.#stream?.resume();
  }

  // ---- ByteStreamHandler: from the destination ----

  onData(bytes: Uint8Array): void {
    if (this.#state === "open" || this.#state === "client-done") {
      if (this.#lane?.send(bytes) === false) this.#stream?.pause();
      return;
    }
    // The tunnel is over. A socket closed with unread bytes would be reset, and lose what it still has to write; and a
    // destination that answers reads no more when its answers are not taken.
    this.#discarded += bytes.length;
    if (this.#discarded <= this.#discardBytes) return;
    if (this.heldBytes > 0) this.#stream?.pause();
    else this.destroy();
  }

  onDrain(): void {
    this.#writer?.onDrain();
    if (this.#window === undefined) this.#link.heldChanged(this);
  }

  onEnd(): void {
    if (!this.#moved(this.#link.halfClose ? "destination-ended" : "destination-closed")) return;
    if (this.#state === "destination-done") {
      this.#lane?.finish(closeWrite(this.id));
      return;
    }
    this.#writer?.end();
    this.#finish();
    this.#link.ended(this, "closed", "destination");
  }

  onClose(error: Error | undefined): void {
    this.#socketGone = true;
    const was = this.#state;
    if (this.#moved("broken")) {
      this.#writer?.discard();
      this.#window?.close();
      if (was !== "closing") {
        this.#finish();
        this.#link.ended(this, error === undefined ? "closed" : "reset", "destination");
      }
    }
    this.#link.gone(this);
  }

  // ---- own ----

  /** The last packet to the client goes out behind all bytes of the destination; where those were dropped, at once. */
  #finish(): void {
    const last = closeResponse(this.id);
    if (this.#window !== undefined && this.#lane?.queuedBytes === 0) this.#link.sendPacket(last);
    else this.#lane?.finish(last);
  }

  #discardReads(): void {
    if (!this.#socketGone) this.#stream?.resume();
  }

  #drop(): void {
    this.#writer?.discard();
    this.#window?.close();
    this.#stream?.destroy();
  }

  #taken(bytes: number): void {
    const credit = this.#window?.left(bytes) ?? 0;
    if (credit > 0 && (this.#state === "open" || this.#state === "destination-done")) {
      this.#link.sendPacket(windowCredit(this.id, credit));
    }
  }

  #moved(event: EndpointEvent): boolean {
    const next = nextEndpointState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
