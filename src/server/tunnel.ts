import { getLogger } from "@logtape/logtape";
import { fault } from "../faults/fault.ts";
import type { Channel } from "../mux/channel.ts";
import type { ChannelOwner } from "../mux/channel_owner.ts";
import type { Clock } from "../runtime/clock.ts";
import { keepShape } from "../runtime/memory/kept_shapes.ts";
import { watchProgress } from "../streams/progress.ts";
import { isRunning, nextState, type TunnelEvent, type TunnelState } from "../mux/channel_state.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { closeRequest, closeWrite, type DialTarget } from "../wire/packet.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { Backend } from "./backend.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { DialRecord } from "./dial_record.ts";
import type { CloseInitiator, CloseReason, ServerDial, ServerEvents } from "./server_events.ts";
import { serverLimits } from "./server_limits.ts";
import type { TunnelClient } from "./tunnel_client.ts";

const log = getLogger(["server", "tunnel"]);

/** The error that both sides receive when an exception ended the tunnel; its text is for the log alone. */
const internalError = "internal error of the proxy server";

/**
 * Where the client of a tunnel stands: it waits for the dial; it has the channel; or it is done with: it was notified of the
 * end, or has gone.
 */
type ClientState = "waiting" | "open" | "done";

/**
 * One tunnel as the server sees it: a dial through the backend that was chosen, then a channel that the client pipes its
 * bytes to, whose ends it puts in packets. Both sides call in; each event is taken at most once, and what comes after the end
 * is ignored. What throws on its way through a tunnel ends that tunnel ({@link faulted}), neither its link nor its neighbours.
 */
export class ServerTunnel implements ChannelOwner, ServerDial {
  readonly place = "tunnel";
  /** Pairs the agent's answer with the dial; it names the tunnel in the logs of both sides. */
  readonly id: bigint;
  readonly target: DialTarget;
  readonly client: TunnelClient;
  readonly #events: ServerEvents;
  readonly #clock: Clock;
  /** Absent where there is neither audit log nor trace. */
  readonly #record: DialRecord | undefined;
  /** When the dial began, then when the tunnel opened; milliseconds of the monotonic clock. */
  #since: number;
  #link: Backend | undefined;
  #state: TunnelState = "dialing";
  #channel: Channel | undefined;
  #clientState: ClientState = "waiting";
  /** Ends the wait for the agent's answer, to the dial or to a close. */
  #cancelWait: () => void = () => {};
  #initiator: CloseInitiator = "agent";
  #reason: CloseReason = "closed";

  constructor(
    id: bigint,
    target: DialTarget,
    client: TunnelClient,
    events: ServerEvents,
    clock: Clock,
    record?: DialRecord,
  ) {
    this.id = id;
    this.target = target;
    this.client = client;
    this.#events = events;
    this.#clock = clock;
    this.#since = clock.now();
    this.#record = record;
  }

  get state(): TunnelState {
    return this.#state;
  }

  /** The agent's id for the connection; 0 while dialing. */
  get connectId(): ConnectId {
    return this.#channel?.id ?? 0;
  }

  get agent(): AgentInfo | undefined {
    return this.#link?.info;
  }

  /** Seconds since the dial began, or, once the agent has answered, since then. */
  get seconds(): number {
    return (this.#clock.now() - this.#since) / 1000;
  }

  /** Bytes of the client for the destination, and the other way round. */
  get bytes(): { readonly sent: number; readonly received: number } {
    return this.#channel?.bytes ?? { sent: 0, received: 0 };
  }

  /** Whom bytes wait for. */
  get waitsFor(): "client" | "agent" | undefined {
    if ((this.#channel?.heldBytes ?? 0) > 0) return "client";
    return (this.#channel?.queuedBytes ?? 0) > 0 ? "agent" : undefined;
  }

  /** Bytes that wait for the client or for the agent. */
  get queuedBytes(): number {
    return this.#channel === undefined ? 0 : this.#channel.heldBytes + this.#channel.queuedBytes;
  }

  /**
   * The link that the dial goes over, and how long its agent may take to answer, in milliseconds, 0: as long as it likes; again
   * when the dial moves to another backend.
   */
  assign(link: Backend, dialTimeoutMs: number): void {
    this.#cancelWait();
    this.#link = link;
    if (dialTimeoutMs > 0) {
      const deadline = this.#clock.after(dialTimeoutMs, () => this.#dialTimedOut(), this);
      this.#cancelWait = () => deadline.cancel();
    }
    this.#record?.assigned(link.info);
  }

  // ---- from the client ----

  /**
   * {@link ChannelOwner}: the client sends no more, but still takes data. Where the agent does not know half-close, the tunnel is
   * closed, as an agent of the original does it at a client's end.
   */
  sideEnded(): void {
    if (this.#link?.halfCloses !== true || !this.#moved("client-ended")) return this.close();
    this.#channel?.finish(closeWrite(this.connectId));
  }

  /** {@link ChannelOwner}: the client's stream is gone. */
  sideGone(): void {
    this.abort("reset", "client", "");
  }

  /** The client gives up its dial, or closes the tunnel; what it sent before still arrives. The agent is notified. */
  close(): void {
    this.#close("client", "closed", false);
  }

  /**
   * Closes at once; what has not been sent is dropped. The client receives `error`, unless it began this itself. A tunnel that
   * is closing already goes on to do so, and its client gets nothing more.
   */
  abort(reason: CloseReason, initiator: CloseInitiator, error: string): void {
    const was = this.#state;
    if (was === "closing") {
      if (initiator === "client") this.#clientGone();
      else this.#notifyClosed(error);
      return;
    }
    this.#close(initiator, reason, true);
    if (isRunning(was) && initiator !== "client") this.#notifyClosed(error);
  }

  #close(initiator: CloseInitiator, reason: CloseReason, drop: boolean): void {
    const was = this.#state;
    if (!this.#moved("client-closed")) return;
    this.#initiator = initiator;
    this.#reason = reason;
    if (initiator === "client" && drop) this.#clientGone();
    if (was === "dialing") {
      this.#link?.sendCloseDial(this.id);
      this.#link?.forget(this);
      this.#dialFailed({ reason: "frontend_close", message: "client gave up the dial" });
      return;
    }
    // The request for the close goes out behind the client's last bytes: while some of them go out, it is waited for.
    const watch = { everyMs: serverLimits.closeAnswerMs, after: this.#clock.after, owner: this };
    this.#cancelWait = watchProgress(() => this.queuedBytes, watch, () => this.#unanswered());
    const request = closeRequest(this.connectId);
    if (drop) this.#channel?.drop(request);
    else this.#channel?.finish(request);
  }

  // ---- from the agent ----

  /**
   * The agent reached the destination.
   * @param resolved the address by which it was reached; empty where the agent does not say
   * @returns false when nobody waits for it any more
   */
  dialed(channel: Channel, resolved = ""): boolean {
    if (!this.#moved("dialed")) return false;
    this.#channel = channel;
    const now = this.#clock.now();
    this.#events.dialed((now - this.#since) / 1000, this);
    this.#since = now;
    this.#record?.connected(resolved);
    this.#clientState = "open";
    this.client.tunnelDialed(channel);
    keepShape(this.client.frontend, this);
    return true;
  }

  dialFailed(failure: DialFailure): void {
    if (!this.#moved("dial-failed")) return;
    this.#dialFailed(failure);
    this.#link?.forget(this);
    this.#notifyDialFailed(failure);
  }

  #dialTimedOut(): void {
    if (this.#state === "dialing") this.#link?.sendCloseDial(this.id);
    this.dialFailed({ reason: "backend_dial_timeout", message: "timed out waiting for backend dial" });
  }

  #dialFailed(failure: DialFailure): void {
    this.#events.dialFailed(failure.reason, failure.message, this);
    this.#record?.failed(failure);
  }

  // ---- ChannelOwner ----

  taken(waitedMs: number): void {
    this.#events.frontendWritten(waitedMs / 1000);
  }

  discarded(): boolean {
    return true;
  }

  violated(what: string): void {
    this.abort("reset", "server", `agent ${what}`);
  }

  /** Its client has not read for too long, and has held its agent back. */
  stalled(): void {
    const seconds = serverLimits.legacyStallMs / 1000;
    log.warn(
      "tunnel {tunnel} to {address} is closed: its client did not read for {seconds} s and held its agent back",
      { tunnel: this.id, address: this.target.address, seconds },
    );
    this.abort("stalled", "server", "client did not read, and its agent has no flow control");
  }

  /** The destination sends no more. */
  agentEnded(): void {
    if (!isRunning(this.#state)) return;
    if (this.client.halfCloses) return this.#channel?.peerEnded();
    this.#close("agent", "closed", false);
    this.#notifyClosed("");
  }

  /** The agent closed the connection. */
  agentClosed(error: string): void {
    if (!this.#moved("agent-closed")) return;
    if (error !== "" && this.#reason === "closed") this.#reason = "reset";
    this.#finished(error);
    this.#notifyClosed(error);
  }

  /** The agent never answered the close. */
  #unanswered(): void {
    if (this.#state !== "closing") return;
    // Whatever still waited for the agent may have kept the request back.
    this.#channel?.drop(closeRequest(this.connectId));
    this.agentClosed("agent did not answer the close");
  }

  /** The link is gone. */
  linkLost(failure: DialFailure): void {
    const was = this.#state;
    if (was === "dialing") return this.dialFailed(failure);
    if (!this.#moved("link-lost")) return;
    if (isRunning(was)) this.#reason = "link_lost";
    this.#finished(failure.message);
    this.#notifyClosed(failure.message);
  }

  /** {@link Owner}: whatever state an exception left it in, both sides are notified of the end and nothing of it is kept. */
  faulted(): void {
    const was = this.#state;
    this.#state = "closed";
    try {
      this.#channel?.drop(was === "closed" ? undefined : closeRequest(this.connectId));
      this.#forget();
      if (was === "dialing") this.#link?.sendCloseDial(this.id);
    } finally {
      this.#notifyFault(was);
    }
  }

  #notifyFault(was: TunnelState): void {
    try {
      if (was === "dialing") this.#dialFailed({ reason: "frontend_close", message: internalError });
      else if (was !== "closed") this.#closed("fault", "server", internalError);
      this.#notifyClosed(internalError);
    } catch (error) {
      fault(this.client, error);
    }
  }

  #finished(error: string): void {
    this.#channel?.drop();
    this.#forget();
    this.#closed(this.#reason, this.#initiator, error);
  }

  #forget(): void {
    this.#cancelWait();
    this.#channel?.release();
    this.#link?.forget(this);
  }

  #closed(reason: CloseReason, initiator: CloseInitiator, error: string): void {
    const { seconds } = this;
    this.#events.tunnelClosed(seconds, reason, initiator, this, error);
    this.#record?.closed({ seconds, reason, initiator, message: error, bytes: this.bytes });
  }

  #notifyDialFailed(failure: DialFailure): void {
    this.#clientState = "done";
    this.client.tunnelDialFailed(failure);
  }

  #notifyClosed(error: string): void {
    const was = this.#clientState;
    if (was === "waiting") return this.#notifyDialFailed({ reason: "backend_close", message: error });
    this.#clientState = "done";
    if (was === "open") this.#channel?.closed(error === "" ? undefined : new Error(error));
  }

  /** The client gets nothing more: what it has not taken stalls the link no longer. */
  #clientGone(): void {
    this.#clientState = "done";
    this.#channel?.discard();
  }

  #moved(event: TunnelEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    if (this.#state === "dialing") this.#cancelWait();
    this.#state = next;
    return true;
  }
}
