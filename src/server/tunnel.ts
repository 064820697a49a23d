import type { Lane, LaneSource } from "../tunnel/fair_writer.ts";
import type { ReceiveWindow } from "../tunnel/receive_window.ts";
import type { SendWindow } from "../tunnel/send_window.ts";
import { nextState, type TunnelEvent, type TunnelState } from "../tunnel/tunnel_state.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { closeRequest, closeWrite, type DialTarget } from "../wire/packet.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { CloseInitiator, CloseReason, ServerEvents } from "./server_events.ts";

/** The frontend's side of a tunnel: what the tunnel tells the client. */
export interface TunnelClient {
  /** The client can be told that the destination sends no more while it may still send itself. */
  readonly halfCloses: boolean;
  /** The destination was reached. */
  tunnelDialed(connectId: ConnectId): void;
  /** The destination was not reached; nothing follows. */
  tunnelDialFailed(failure: DialFailure): void;
  /** Bytes from the destination. Returns false when the client is full; it calls {@link ServerTunnel.clientDrained} later. */
  tunnelData(payload: Uint8Array): boolean;
  /** Data can be sent again after {@link ServerTunnel.send} returned false. */
  tunnelWritable(): void;
  /** The destination sends no more; only where {@link halfCloses}. */
  tunnelEnded(): void;
  /** The tunnel ended; nothing follows. `error` is empty when the destination closed in order. */
  tunnelClosed(error: string): void;
}

/** What a tunnel needs of its agent's link; the backend is it. */
export interface TunnelLink {
  /** The agent takes CLOSE_WRITE. */
  readonly halfCloses: boolean;
  sendCloseRequest(connectId: ConnectId): void;
  sendCloseDial(tunnelId: bigint): void;
  sendCredit(connectId: ConnectId, bytes: number): void;
  /** How many bytes the tunnel's client has not taken, on a link without windows; 0 when it took all. */
  clientHolds(tunnel: ServerTunnel, bytes: number): void;
  /** The tunnel was closed from this side: {@link ServerTunnel.unanswered} is called if the agent never answers. */
  closing(tunnel: ServerTunnel): void;
  /** The tunnel is closed and can be forgotten. */
  forget(tunnel: ServerTunnel): void;
}

/** The parts of flow control that a tunnel gets with its connection. */
export interface TunnelFlow {
  readonly lane: Lane;
  readonly sending: SendWindow;
  /** Absent on a link without windows. */
  readonly receiving?: ReceiveWindow;
}

/**
 * One tunnel as the server sees it, between the client that dialled and the backend that was chosen. Both sides call
 * in; each event is taken at most once, and what comes after the end is ignored.
 */
export class ServerTunnel implements LaneSource {
  /** Pairs the agent's answer with the dial; it names the tunnel in the logs of both sides. */
  readonly id: bigint;
  readonly target: DialTarget;
  readonly #client: TunnelClient;
  readonly #events: ServerEvents;
  /** When the dial began, then when the tunnel opened; milliseconds of the monotonic clock. */
  #since = performance.now();
  #link: TunnelLink | undefined;
  #state: TunnelState = "dialing";
  #connectId: ConnectId = 0;
  #flow: TunnelFlow | undefined;
  /** Bytes that the client was given and has not taken yet. */
  #heldBytes = 0;
  #heldSince = 0;
  #clientEnded = false;
  /** The client was told of the end, or has left. */
  #clientDone = false;
  #initiator: CloseInitiator = "agent";
  #reason: CloseReason = "closed";

  constructor(id: bigint, target: DialTarget, client: TunnelClient, events: ServerEvents) {
    this.id = id;
    this.target = target;
    this.#client = client;
    this.#events = events;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The agent's id for the connection; 0 while dialing. */
  get connectId(): ConnectId {
    return this.#connectId;
  }

  /** Bytes that wait for the client or for the agent. */
  get queuedBytes(): number {
    return this.#heldBytes + (this.#flow?.lane.queuedBytes ?? 0);
  }

  /** The link that the dial goes over; again when the dial moves to another backend. */
  assign(link: TunnelLink): void {
    this.#link = link;
  }

  // ---- from the client ----

  /**
   * Sends bytes to the destination. They are taken in any case; false asks to hold back until
   * {@link TunnelClient.tunnelWritable}.
   */
  send(payload: Uint8Array): boolean {
    if (this.#state !== "open" || this.#flow === undefined || this.#clientEnded) return true;
    return this.#flow.lane.send(payload);
  }

  /** The client takes data again after tunnelData returned false. */
  clientDrained(): void {
    const bytes = this.#heldBytes;
    if (bytes === 0) return;
    this.#heldBytes = 0;
    this.#events.frontendWritten((performance.now() - this.#heldSince) / 1000);
    if (this.#flow?.receiving === undefined) this.#link?.clientHolds(this, 0);
    else this.#returnCredit(this.#flow.receiving, bytes);
  }

  /**
   * The client sends no more, but still takes data. Where the agent cannot be told so, the tunnel is closed, as an agent of
   * the original does it at a client's end.
   */
  end(): void {
    if (this.#state !== "open" || this.#flow === undefined || this.#clientEnded) return this.close();
    if (this.#link?.halfCloses !== true) return this.close();
    this.#clientEnded = true;
    this.#flow.lane.finish(closeWrite(this.#connectId));
  }

  /** The client gives up its dial, or closes the tunnel; what it sent before still arrives. The agent is told. */
  close(): void {
    this.#close("client", "closed", false);
  }

  /** Closes at once; what has not been sent is dropped. The client is told `error`, unless it began this itself. */
  abort(reason: CloseReason, initiator: CloseInitiator, error: string): void {
    const was = this.#state;
    this.#close(initiator, reason, true);
    if (was === "open" && initiator !== "client") this.#tellClosed(error);
  }

  #close(initiator: CloseInitiator, reason: CloseReason, drop: boolean): void {
    const was = this.#state;
    if (!this.#moved("client-closed")) return;
    this.#initiator = initiator;
    this.#reason = reason;
    if (initiator === "client" && drop) this.#clientLeft();
    if (was === "dialing") {
      this.#link?.sendCloseDial(this.id);
      this.#link?.forget(this);
      this.#events.dialFailed("frontend_close");
      return;
    }
    this.#link?.closing(this);
    if (drop) {
      this.#flow?.lane.drop();
      this.#link?.sendCloseRequest(this.#connectId);
    } else {
      this.#flow?.lane.finish(closeRequest(this.#connectId));
    }
  }

  // ---- from the agent ----

  /** The agent reached the destination. Returns false when nobody waits for it any more. */
  dialed(connectId: ConnectId, flow: TunnelFlow): boolean {
    if (!this.#moved("dialed")) return false;
    this.#connectId = connectId;
    this.#flow = flow;
    const now = performance.now();
    this.#events.dialed((now - this.#since) / 1000);
    this.#since = now;
    this.#client.tunnelDialed(connectId);
    return true;
  }

  dialFailed(failure: DialFailure): void {
    if (!this.#moved("dial-failed")) return;
    this.#events.dialFailed(failure.reason);
    this.#link?.forget(this);
    this.#client.tunnelDialFailed(failure);
  }

  /** Bytes from the destination; a client that is closing may still take what was on its way. */
  deliver(payload: Uint8Array): void {
    if (this.#state !== "open" && this.#state !== "closing") return;
    this.#flow?.lane.heard(payload.length);
    const receiving = this.#flow?.receiving;
    if (receiving !== undefined && !receiving.arrived(payload.length)) {
      this.abort("reset", "server", "agent sent more than the tunnel's window");
      return;
    }
    const taken = this.#clientDone || this.#client.tunnelData(payload);
    if (taken && this.#heldBytes === 0) {
      this.#events.frontendWritten(0);
      if (receiving !== undefined) this.#returnCredit(receiving, payload.length);
      return;
    }
    if (this.#heldBytes === 0) this.#heldSince = performance.now();
    this.#heldBytes += payload.length;
    if (receiving === undefined) this.#link?.clientHolds(this, this.#heldBytes);
  }

  /** The agent returned credit. */
  granted(bytes: number): void {
    if (this.#flow === undefined) return;
    if (this.#flow.sending.grant(bytes)) this.#flow.lane.granted();
    else this.abort("reset", "server", "agent returned impossible credit");
  }

  /** {@link LaneSource}: the link takes this tunnel's data again. */
  laneWritable(): void {
    if (this.#state === "open") this.#client.tunnelWritable();
  }

  /** The destination sends no more. */
  agentEnded(): void {
    if (this.#state !== "open") return;
    if (this.#client.halfCloses) {
      this.#client.tunnelEnded();
      return;
    }
    this.#close("agent", "closed", false);
    this.#tellClosed("");
  }

  /** The agent closed the connection. */
  agentClosed(error: string): void {
    if (!this.#moved("agent-closed")) return;
    if (error !== "" && this.#reason === "closed") this.#reason = "reset";
    this.#finished();
    this.#tellClosed(error);
  }

  /** The agent never answered the close. */
  unanswered(): void {
    if (this.#state !== "closing") return;
    // Whatever still waited for the agent may have kept the request back.
    this.#link?.sendCloseRequest(this.#connectId);
    this.agentClosed("agent did not answer the close");
  }

  /** The link is gone. */
  linkLost(failure: DialFailure): void {
    const was = this.#state;
    if (!this.#moved("link-lost")) return;
    if (was === "dialing") {
      this.#events.dialFailed(failure.reason);
      this.#link?.forget(this);
      this.#client.tunnelDialFailed(failure);
      return;
    }
    if (was === "open") this.#reason = "link_lost";
    this.#finished();
    this.#tellClosed(failure.message);
  }

  #finished(): void {
    this.#flow?.lane.drop();
    this.#flow?.receiving?.close();
    this.#link?.forget(this);
    this.#events.tunnelClosed((performance.now() - this.#since) / 1000, this.#reason, this.#initiator);
  }

  #tellClosed(error: string): void {
    if (this.#clientDone) return;
    this.#clientLeft();
    this.#client.tunnelClosed(error);
  }

  /** The client gets nothing more: what it has not taken holds the link back no longer. */
  #clientLeft(): void {
    this.#clientDone = true;
    this.clientDrained();
  }

  #returnCredit(receiving: ReceiveWindow, bytes: number): void {
    const credit = receiving.left(bytes);
    if (credit > 0) this.#link?.sendCredit(this.#connectId, credit);
  }

  #moved(event: TunnelEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
