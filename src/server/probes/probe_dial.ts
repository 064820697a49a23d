import type { Channel } from "../../mux/channel.ts";
import type { ByteStreamHandler } from "../../streams/byte_stream.ts";
import type { DialTarget } from "../../wire/packet.ts";
import { probePeer } from "../../wire/peer_identity.ts";
import type { AgentInfo } from "../agents/agent_info.ts";
import type { BackendPool } from "../backend_pool.ts";
import type { DialFailure, DialFailureReason } from "../dial_outcome.ts";
import { ServerTunnel } from "../tunnel.ts";
import type { TunnelClient } from "../tunnel_client.ts";

/** Why a probe failed: as a client's dial, or it took longer than a probe may. */
export type ProbeFailureReason = DialFailureReason | "timeout";

/** A probe that did not reach its destination. */
export interface ProbeFailure {
  readonly reason: ProbeFailureReason;
  readonly message: string;
}

const internalError: DialFailure = { reason: "backend_close", message: "internal error of the proxy server" };

/**
 * Where a probe's dial stands: `dialing`; `closing`, the destination was reached, and the agent has yet to answer the close;
 * `over`, nothing of it is left.
 */
type ProbeDialState = "dialing" | "closing" | "over";

/** One dial of a probe: a client that closes its tunnel in order as soon as it is open, and sends nothing. */
export class ProbeDial implements TunnelClient, ByteStreamHandler {
  readonly place = "dial";
  readonly frontend = "probe";
  readonly peer = probePeer;
  readonly halfCloses = false;
  readonly #onOutcome: (failure: ProbeFailure | undefined) => void;
  #state: ProbeDialState = "dialing";
  #tunnel: ServerTunnel | undefined;

  /** @param onOutcome called once, unless the dial is given up before: undefined where the destination was reached */
  constructor(onOutcome: (failure: ProbeFailure | undefined) => void) {
    this.#onOutcome = onOutcome;
  }

  get state(): ProbeDialState {
    return this.#state;
  }

  /** The agent that the dial went through last; undefined where there was none. */
  get agent(): AgentInfo | undefined {
    return this.#tunnel?.agent;
  }

  /** Begins, once. */
  start(pool: BackendPool, target: DialTarget): void {
    const opened = pool.dial(target, this);
    if (opened instanceof ServerTunnel) this.#tunnel = opened;
    else this.tunnelDialFailed(opened);
  }

  /** The outcome is not waited for any more; the agent is notified. A tunnel that is being closed goes on to be. */
  giveUp(): void {
    if (this.#state !== "dialing") return;
    this.#state = "over";
    this.#tunnel?.close();
  }

  /** {@link Owner}: the tunnel has ended by itself. */
  faulted(): void {
    const was = this.#state;
    this.#state = "over";
    if (was === "dialing") this.#onOutcome(internalError);
  }

  // ---- TunnelClient ----

  tunnelDialed(channel: Channel): void {
    if (this.#state !== "dialing") return;
    this.#state = "closing";
    channel.start(this);
    this.#tunnel?.close();
    this.#onOutcome(undefined);
  }

  tunnelDialFailed(failure: DialFailure): void {
    if (this.#state !== "dialing") return;
    this.#state = "over";
    this.#onOutcome(failure);
  }

  // ---- ByteStreamHandler: a destination that speaks first is not listened to ----

  onData(): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(): void {
    this.#state = "over";
  }
}
