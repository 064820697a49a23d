import { getLogger } from "@logtape/logtape";
import { fault } from "../faults/fault.ts";
import { follow } from "../faults/owned.ts";
import { dialed, dialFailed, type Packet } from "../wire/packet.ts";
import type { AgentEvents } from "./agent_events.ts";
import type { AgentLimits } from "./agent_limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AgentDialSpan, AgentTracer } from "./dial_span.ts";
import type { Dialler, DialResult } from "./dialler.ts";
import { Endpoint } from "./endpoint.ts";
import type { Link } from "./link.ts";
import type { LinkServer } from "./link_context.ts";

const log = getLogger(["agent", "link"]);

/** Nobody reads it but who watches the agent. */
const givenUp = "the client gave the dial up, or the link was lost";

/** What the dials of a link need. */
export interface DialsOptions {
  readonly dial: Dialler;
  readonly clock: Clock;
  readonly limits: AgentLimits;
  readonly events: AgentEvents;
  readonly tracer?: AgentTracer;
  /** The link whose dials these are. */
  readonly link: Link;
  /** At the link's other end. */
  readonly server: LinkServer;
  /** The server takes the address that was dialled. */
  readonly reportsResolved: boolean;
  readonly sendPacket: (packet: Packet) => void;
  /** A dial has ended, and whatever it threw is dealt with. */
  readonly onEnded: () => void;
}

/**
 * The dials of one link. Connection ids count from one and every dial takes one, failed ones too, as the original's do.
 * Clients choose the numbers of their dials, which may therefore repeat.
 */
export class Dials {
  readonly #options: DialsOptions;
  readonly #pending = new Set<Endpoint>();
  /** The last pending dial of each number. */
  readonly #byNumber = new Map<bigint, Endpoint>();
  /** Connected endpoints by the number of their dial, until the client shows that it knows the connection's id. */
  readonly #unconfirmed = new Map<bigint, Endpoint>();
  #lastId = 0;
  #refusal: string | undefined;

  constructor(options: DialsOptions) {
    this.#options = options;
  }

  /** Pending dials. */
  get size(): number {
    return this.#pending.size;
  }

  /** Pending dials, to be ended: a copy. */
  all(): readonly Endpoint[] {
    return [...this.#pending];
  }

  /** From now on dials are answered with an error. */
  refuse(reason: string): void {
    this.#refusal = reason;
  }

  /** The endpoint that a client names by the number of its dial: it is being dialled, or the client was just answered. */
  of(random: bigint): Endpoint | undefined {
    return this.#byNumber.get(random) ?? this.#unconfirmed.get(random);
  }

  /** The client gave up. Its dial may be in flight, or the answer may be: then what was opened is closed again. */
  givenUp(random: bigint): void {
    if (this.of(random)?.clientClosed() === true) return;
    log.debug("ignored DIAL_CLS for {random}, which is unknown", { random });
  }

  /** The client has shown that it knows the connection's id, or the tunnel is over. */
  confirmed(endpoint: Endpoint): void {
    if (this.#unconfirmed.size > 0) this.#unconfirmed.delete(endpoint.random);
  }

  /** The link is gone. */
  clear(): void {
    this.#unconfirmed.clear();
  }

  /** Dials a destination for a client and answers it. @param traceparent of the server's span; empty: none */
  begin(network: string, address: string, random: bigint, traceparent = ""): void {
    const id = ++this.#lastId;
    const { dial, limits, link, sendPacket, clock, events, server, tracer } = this.#options;
    const refusal = this.#refusal ??
      (this.size >= limits.maxPendingDials ? `agent has ${this.size} dials in flight` : undefined);
    if (refusal !== undefined) {
      sendPacket(dialFailed(random, refusal));
      const reason = this.#refusal === undefined ? "too_many_dials" : "draining";
      return events.dialDropped(reason, refusal, 0, random, address, server);
    }
    const giveUp = new AbortController();
    const since = clock.now();
    const endpoint = new Endpoint({ id, random, address, since }, giveUp, link, limits);
    this.#pending.add(endpoint);
    this.#byNumber.set(random, endpoint);
    const options = { timeoutMs: limits.dialTimeoutMs, signal: giveUp.signal, asker: link };
    const span = traceparent === "" ? undefined : tracer?.dial(traceparent, address, random);
    follow(endpoint, this.#outcome(endpoint, since, () => dial(network, address, options), span));
  }

  /** Waits for a dial's outcome. Never rejects: what throws ends the dial's tunnel. */
  async #outcome(
    endpoint: Endpoint,
    startedAt: number,
    dial: () => Promise<DialResult>,
    span: AgentDialSpan | undefined,
  ): Promise<void> {
    try {
      const result = await dial();
      span?.ended(result);
      this.#ended(endpoint, startedAt, result);
    } catch (error) {
      fault(endpoint, error);
    } finally {
      this.#forget(endpoint);
      this.#options.onEnded();
    }
  }

  #forget(endpoint: Endpoint): void {
    this.#pending.delete(endpoint);
    if (this.#byNumber.get(endpoint.random) === endpoint) this.#byNumber.delete(endpoint.random);
  }

  #ended(endpoint: Endpoint, startedAt: number, result: DialResult): void {
    const { clock, events, sendPacket, reportsResolved, server } = this.#options;
    const seconds = (clock.now() - startedAt) / 1000;
    this.#forget(endpoint);
    if (result.ok) {
      if (!endpoint.dialed(result.stream)) {
        result.stream.destroy();
        return events.dialDropped("given_up", givenUp, seconds, endpoint.random, endpoint.destination, server);
      }
      events.endpointDialed(seconds, endpoint, server);
      this.#unconfirmed.set(endpoint.random, endpoint);
      sendPacket(dialed(endpoint.random, endpoint.id, reportsResolved ? result.stream.remoteAddress : undefined));
      log.debug("tunnel {tunnel} is connection {id}", { tunnel: endpoint.random, id: endpoint.id });
      endpoint.start();
    } else if (endpoint.dialFailed()) {
      const { reason, message } = result.failure;
      events.endpointDialFailed(reason, message, seconds, endpoint, server);
      // At most a line a minute for each destination; see LogLimiter.
      if (reason === "not_allowed") log.warn("refused: {error}", { error: message, tunnel: endpoint.random });
      else log.debug("tunnel {tunnel} failed: {error}", { tunnel: endpoint.random, error: message });
      sendPacket(dialFailed(endpoint.random, message));
    } else {
      events.dialDropped("given_up", givenUp, seconds, endpoint.random, endpoint.destination, server);
    }
  }
}
