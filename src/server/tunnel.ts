import { nextState, type TunnelEvent, type TunnelState } from "../tunnel/tunnel_state.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import type { DialTarget } from "../wire/packet.ts";
import type { DialFailure } from "./dial_outcome.ts";

/** The frontend's side of a tunnel: what the tunnel tells the client. */
export interface TunnelClient {
  /** The destination was reached. */
  tunnelDialed(connectId: ConnectId): void;
  /** The destination was not reached; nothing follows. */
  tunnelDialFailed(failure: DialFailure): void;
  /** Bytes from the destination. Returns false when the client is full; it calls {@link ServerTunnel.clientDrained} later. */
  tunnelData(payload: Uint8Array): boolean;
  /** Data can be sent again after {@link ServerTunnel.send} returned false. */
  tunnelWritable(): void;
  /** The tunnel ended; nothing follows. `error` is empty when the destination closed in order. */
  tunnelClosed(error: string): void;
}

/** What a tunnel needs of its agent's link; the backend is it. */
export interface TunnelLink {
  sendData(tunnel: ServerTunnel, connectId: ConnectId, payload: Uint8Array): boolean;
  sendCloseRequest(connectId: ConnectId): void;
  sendCloseDial(tunnelId: bigint): void;
  /** The tunnel's client is full, or not any more: the link holds reading back meanwhile. */
  holdReading(tunnel: ServerTunnel, hold: boolean): void;
  /** The tunnel is closed and can be forgotten. */
  forget(tunnel: ServerTunnel): void;
}

/**
 * One tunnel as the server sees it, between the client that dialled and the backend that was chosen. Both sides call
 * in; each event is taken at most once, and what comes after the end is ignored.
 */
export class ServerTunnel {
  /** Unique in this process; it also pairs the agent's answer with the dial. */
  readonly id: bigint;
  readonly target: DialTarget;
  readonly #link: TunnelLink;
  readonly #client: TunnelClient;
  #state: TunnelState = "dialing";
  #connectId: ConnectId = 0;

  constructor(id: bigint, target: DialTarget, link: TunnelLink, client: TunnelClient) {
    this.id = id;
    this.target = target;
    this.#link = link;
    this.#client = client;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The agent's id for the connection; 0 while dialing. */
  get connectId(): ConnectId {
    return this.#connectId;
  }

  // ---- from the client ----

  /**
   * Sends bytes to the destination. They are taken in any case; false asks to hold back until
   * {@link TunnelClient.tunnelWritable}.
   */
  send(payload: Uint8Array): boolean {
    return this.#state === "open" ? this.#link.sendData(this, this.#connectId, payload) : true;
  }

  /** The client takes data again after tunnelData returned false. */
  clientDrained(): void {
    this.#link.holdReading(this, false);
  }

  /** The client gives up its dial, or closes the tunnel. The agent is told. */
  close(): void {
    const was = this.#state;
    if (!this.#moved("client-closed")) return;
    if (was === "dialing") this.#link.sendCloseDial(this.id);
    else this.#link.sendCloseRequest(this.#connectId);
    if (this.#state === "closed") this.#link.forget(this);
  }

  // ---- from the agent ----

  /** The agent reached the destination. Returns false when nobody waits for it any more. */
  dialed(connectId: ConnectId): boolean {
    if (!this.#moved("dialed")) return false;
    this.#connectId = connectId;
    this.#client.tunnelDialed(connectId);
    return true;
  }

  dialFailed(failure: DialFailure): void {
    if (!this.#moved("dial-failed")) return;
    this.#link.forget(this);
    this.#client.tunnelDialFailed(failure);
  }

  /** Bytes from the destination; a client that is closing may still take what was on its way. */
  deliver(payload: Uint8Array): void {
    if (this.#state !== "open" && this.#state !== "closing") return;
    if (!this.#client.tunnelData(payload)) this.#link.holdReading(this, true);
  }

  linkWritable(): void {
    if (this.#state === "open") this.#client.tunnelWritable();
  }

  /** The agent closed the connection. */
  agentClosed(error: string): void {
    if (!this.#moved("agent-closed")) return;
    this.#link.forget(this);
    this.#client.tunnelClosed(error);
  }

  /** The link is gone. */
  linkLost(failure: DialFailure): void {
    const was = this.#state;
    if (!this.#moved("link-lost")) return;
    this.#link.forget(this);
    if (was === "dialing") this.#client.tunnelDialFailed(failure);
    else this.#client.tunnelClosed(failure.message);
  }

  #moved(event: TunnelEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
