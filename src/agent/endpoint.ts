import { getLogger } from "@logtape/logtape";
import type { Channel } from "../mux/channel.ts";
import type { ChannelOwner } from "../mux/channel_owner.ts";
import { nextState, type TunnelEvent, type TunnelState } from "../mux/channel_state.ts";
import { keepShape } from "../runtime/memory/kept_shapes.ts";
import type { ByteStream } from "../streams/byte_stream.ts";
import { pipe } from "../streams/pipe.ts";
import { watchProgress } from "../streams/progress.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { closeResponse, closeWrite, dialFailed } from "../wire/packet.ts";
import type { EndpointCloseReason } from "./agent_events.ts";
import type { AgentLimits } from "./agent_limits.ts";
import type { Link } from "./link.ts";

const log = getLogger(["agent", "link"]);

/** The error that the client receives when an exception ended the tunnel; its text is for the log alone. */
const internalError = "internal error of the proxy agent";

/** Who began the end of a connection. */
export type EndpointCloseInitiator = "client" | "destination" | "agent";

/** What an endpoint is dialled for. */
export interface EndpointDial {
  readonly id: ConnectId;
  /** The client's number for its dial. */
  readonly random: bigint;
  readonly address: string;
  /** When it began, on the clock of its link. */
  readonly since: number;
}

/**
 * One tunnel's end in the agent: the dial of its destination, then a pipe between the destination's socket and the tunnel's
 * channel, whose ends it puts in packets. Each event is taken where the state allows it, and ignored elsewhere. What throws
 * on its way through an endpoint ends that endpoint ({@link faulted}), neither its link nor its neighbours.
 */
export class Endpoint implements ChannelOwner {
  readonly place = "tunnel";
  readonly id: ConnectId;
  /** The client's number for its dial. */
  readonly random: bigint;
  /** What is dialled, as the server asked for it. */
  readonly destination: string;
  /** When its dial began, then when its channel was opened; on the clock of its link. */
  since: number;
  readonly #link: Link;
  readonly #limits: AgentLimits;
  /** Gives the dial up; absent once it has ended. */
  #giveUp: AbortController | undefined;
  #state: TunnelState = "dialing";
  #stream: ByteStream | undefined;
  #channel: Channel | undefined;
  /** Bytes of the destination that came behind the tunnel's end. */
  #discarded = 0;
  /** The tunnel is over and the destination is read no more. */
  #deaf = false;
  /** Ends the wait for the destination to take its last bytes. */
  #cancelWatch: () => void = () => {};
  #endReported = false;

  /**
   * @param giveUp gives the dial up
   */
  constructor(dial: EndpointDial, giveUp: AbortController, link: Link, limits: AgentLimits) {
    this.id = dial.id;
    this.random = dial.random;
    this.destination = dial.address;
    this.since = dial.since;
    this.#giveUp = giveUp;
    this.#link = link;
    this.#limits = limits;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The tunnel has ended; what is left of it are last bytes, each way. */
  get over(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /** Bytes that wait for the destination. */
  get heldBytes(): number {
    return this.#channel?.heldBytes ?? 0;
  }

  /** Bytes for the destination, and of it, since the dial. */
  get bytes(): { readonly sent: number; readonly received: number } {
    const { sent, received } = this.#channel?.bytes ?? { sent: 0, received: 0 };
    return { sent: received, received: sent };
  }

  /** Bytes that wait here, for either side. */
  get queuedBytes(): number {
    return this.heldBytes + (this.#channel?.queuedBytes ?? 0);
  }

  // ---- the dial ----

  /** The destination was reached; bytes flow from now on. Returns false when nobody waits for it any more. */
  dialed(stream: ByteStream): boolean {
    if (!this.#moved("dialed")) return false;
    this.#giveUp = undefined;
    this.#stream = stream;
    this.#channel = this.#link.open(this);
    keepShape("endpoint", this);
    return true;
  }

  /** Has bytes flow, once the client knows of the dial's success. */
  start(): void {
    if (this.#channel !== undefined && this.#stream !== undefined) pipe(this.#channel, this.#stream);
  }

  dialFailed(): boolean {
    return this.#moved("dial-failed");
  }

  // ---- from the link ----

  /** The client sends no more. */
  clientEnded(): void {
    if (!this.#moved("client-ended")) return;
    this.#channel?.peerEnded();
    if (this.#state === "closing") {
      this.#finish();
      this.#ended("closed", "destination");
    }
  }

  /** The client closes, or gives its dial up. Returns false when it had been notified of the end before. */
  clientClosed(): boolean {
    const was = this.#state;
    if (!this.#moved("client-closed")) return false;
    if (was === "dialing") {
      this.#giveUp?.abort(new Error("client gave up"));
      return true;
    }
    // With windows, what waits for credit would wait for ever: the client does not read any more.
    if (this.#channel?.windowed === true) this.#channel.drop(closeResponse(this.id));
    else this.#finish();
    this.#channel?.peerEnded();
    // Read on: a socket closed with unread bytes would be reset, and lose what it still has to write; and a destination that
    // answers reads no more when its answers are not taken.
    this.#stream?.resume();
    this.#ended("closed", "client");
    return true;
  }

  /** Drops the destination's bytes that wait for the client, and the end behind them. */
  dropUnsent(): void {
    this.#channel?.drop();
  }

  /** Ends the tunnel at once and gives the client the reason. */
  refuse(reason: EndpointCloseReason, message: string): void {
    if (!this.#moved("refused")) return;
    this.#channel?.drop(closeResponse(this.id, message));
    this.#ended(reason, "agent");
    this.#drop();
  }

  /** The link is gone, or about to go. What the client had handed over before its close still reaches the destination. */
  linkLost(reason: EndpointCloseReason): void {
    const was = this.#state;
    if (was === "closing" || !this.#moved("link-lost")) return;
    this.#channel?.drop();
    if (was === "dialing") {
      this.#giveUp?.abort(new Error("link lost"));
      return;
    }
    this.#ended(reason, "agent");
    this.#drop();
  }

  /** {@link Owner}: whatever state an exception left it in, the client is notified of the end and the socket is dropped. */
  faulted(error: Error): void {
    if (this.#moved("dial-failed")) {
      this.#giveUp?.abort(error);
      this.#link.sendPacket(dialFailed(this.random, internalError));
      return;
    }
    try {
      this.refuse("fault", internalError);
      // The endpoint had reached its last state, and the exception came before the server was informed.
      if (!this.#endReported) {
        this.#channel?.drop(closeResponse(this.id, internalError));
        this.#ended("fault", "agent");
      }
    } finally {
      this.#state = "closed";
      this.#drop();
    }
  }

  /** Drops the socket of a tunnel that is over. */
  destroy(): void {
    if (this.#moved("broken")) this.#drop();
  }

  // ---- ChannelOwner ----

  /** Its destination has not read for too long, and has held the link back. */
  stalled(): void {
    const seconds = this.#limits.stallGraceMs / 1000;
    log.warn("tunnel {tunnel} is closed: its destination has not read for {seconds} s and held its link back", {
      tunnel: this.random,
      seconds,
    });
    this.refuse("stalled", `destination has not read for ${seconds} s`);
  }

  violated(what: string): void {
    this.refuse("reset", `server ${what}`);
  }

  firstReceived(): void {
    this.#link.confirmed(this);
  }

  taken(): void {
    if (this.#deaf && this.#state === "closing" && this.heldBytes === 0) this.#destroySoon();
  }

  /** The tunnel is over: as much is read as an answer to what was written may come to. */
  discarded(bytes: number): boolean {
    this.#discarded += bytes;
    const { discardLeastBytes, discardFactor, discardBytes } = this.#limits;
    if (this.#discarded <= Math.min(discardLeastBytes + discardFactor * this.bytes.sent, discardBytes)) return true;
    if (!this.#deaf && this.heldBytes === 0) this.#destroySoon();
    this.#deaf = true;
    return false;
  }

  /** The destination ends its direction. */
  sideEnded(): void {
    if (!this.#moved(this.#link.halfClose ? "destination-ended" : "destination-closed")) return;
    if (this.#state === "destination-done") {
      this.#channel?.finish(closeWrite(this.id));
      return;
    }
    this.#channel?.peerEnded();
    this.#finish();
    this.#ended("closed", "destination");
  }

  /** The connection to the destination is gone. */
  sideGone(error: Error | undefined): void {
    const was = this.#state;
    if (this.#moved("broken")) {
      if (was !== "closing") {
        this.#finish();
        this.#ended(error === undefined ? "closed" : "reset", "destination");
      }
      this.#channel?.discard();
    }
    this.#cancelWatch();
    this.#link.gone(this);
  }

  // ---- own ----

  /** Notifies the link, once, that the tunnel is over. */
  #ended(reason: EndpointCloseReason, initiator: EndpointCloseInitiator): void {
    if (this.#endReported) return;
    this.#endReported = true;
    this.#channel?.release();
    this.#link.ended(this, reason, initiator);
    if (this.#state !== "closing") return;
    // While some of its last bytes go out, the socket is waited for.
    const watch = { everyMs: this.#limits.closeGraceMs, after: this.#link.clock.after, owner: this };
    this.#cancelWatch = watchProgress(() => this.heldBytes, watch, () => this.destroy());
  }

  /** The destination is read no more, and has nothing to be written: its socket has a moment for what is on its way. */
  #destroySoon(): void {
    this.#cancelWatch();
    const excess = this.#link.clock.after(this.#limits.excessGraceMs, () => this.destroy(), this);
    this.#cancelWatch = () => excess.cancel();
  }

  /** The last packet to the client goes out behind all bytes of the destination. */
  #finish(): void {
    this.#channel?.finish(closeResponse(this.id));
  }

  #drop(): void {
    this.#channel?.discard();
    this.#stream?.destroy();
  }

  #moved(event: TunnelEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
