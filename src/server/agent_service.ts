import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import type { PacketStream, StreamEnd } from "../tunnel/packet_stream.ts";
import { GrowthBudget } from "../tunnel/receive_window.ts";
import { type AgentIdentifiers, IdentifiersError, parseIdentifiers } from "../wire/identifiers.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures } from "../wire/metadata.ts";
import { Backend } from "./backend.ts";
import type { BackendPool } from "./backend_pool.ts";
import type { ServerEvents } from "./server_events.ts";
import { serverLimits } from "./server_limits.ts";

const log = getLogger(["server", "agents"]);

/** A call of AgentService.Connect, before it is answered; exactly one of `accept` and `refuse` is called. */
export interface AgentCall {
  metadata(key: string): readonly string[];
  readonly signal: AbortSignal;
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  refuse(error: ConnectError): void;
}

/** Decides whether an agent may connect, by the `authorization` values of its call. @throws {ConnectError} to refuse it */
export type Authenticate = (authorization: readonly string[], signal: AbortSignal) => Promise<void>;

/** What the server tells agents and how it treats them. */
export interface AgentServiceOptions {
  readonly serverId: string;
  /** Read for each agent. */
  readonly serverCount: () => number;
  readonly dialTimeoutMs: number;
  readonly events: ServerEvents;
  /** Absent: the listener's TLS decides alone. */
  readonly authenticate?: Authenticate;
}

/** What this server offers to agents beyond the original's protocol. */
const offered: readonly Feature[] = ["half-close", "window"];

interface Admitted {
  readonly agentId: string;
  readonly identifiers: AgentIdentifiers;
}

/** Takes agents in: checks what they say of themselves and makes each stream a backend. */
export class AgentService {
  readonly #pool: BackendPool;
  readonly #options: AgentServiceOptions;
  readonly #growth = new GrowthBudget();
  #calls = 0;
  #draining = false;

  constructor(pool: BackendPool, options: AgentServiceOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Calls open now, those that are being checked included. */
  get callCount(): number {
    return this.#calls;
  }

  /** Refuses agents from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Serves one call until its stream is gone; never throws. */
  handle(call: AgentCall): void {
    this.#calls++;
    this.#admit(call).then(
      (admitted) => this.#connect(call, admitted),
      (error: unknown) => {
        this.#calls--;
        const refusal = ConnectError.from(error, Code.Internal);
        if (!call.signal.aborted) log.warn("refused an agent: {reason}", { reason: refusal.rawMessage });
        call.refuse(refusal);
      },
    );
  }

  async #admit(call: AgentCall): Promise<Admitted> {
    if (this.#draining) throw new ConnectError("server is shutting down", Code.Unavailable);
    const ids = call.metadata(metadataKeys.agentId);
    const [agentId] = ids;
    if (agentId === undefined || ids.length !== 1) {
      throw new ConnectError(`expected one agent ID in the context, got [${ids.join(" ")}]`, Code.InvalidArgument);
    }
    // Before anything else of the call is looked at: a stranger gets no parsing done.
    await this.#options.authenticate?.(call.metadata(metadataKeys.authorization), call.signal);
    return { agentId, identifiers: identifiersOf(call) };
  }

  #connect(call: AgentCall, { agentId, identifiers }: Admitted): void {
    if (call.signal.aborted) {
      this.#calls--;
      // Nobody hears it, but whoever waits for the answer is let go.
      return call.refuse(new ConnectError("the caller went away", Code.Canceled));
    }
    const asked = parseFeatures(call.metadata(metadataKeys.features)[0]);
    const features = offered.filter((feature) => asked.has(feature));
    const link = call.accept({
      [metadataKeys.serverId]: this.#options.serverId,
      [metadataKeys.serverCount]: String(this.#options.serverCount()),
      ...(asked.size === 0 ? {} : { [metadataKeys.features]: formatFeatures(features) }),
    });
    const backend = new Backend({ agentId, identifiers, features: new Set(features) }, link, {
      dialTimeoutMs: this.#options.dialTimeoutMs,
      events: this.#options.events,
      growth: this.#growth,
      redial: (tunnel, failed) => this.#pool.redial(tunnel, failed),
      onClosed: (closed, end) => this.#disconnected(closed, end),
    });
    this.#pool.add(backend);
    log.info("agent {agentId} connected, {agents} connected", { agentId, agents: this.#pool.size });
    backend.start();
  }

  #disconnected(backend: Backend, end: StreamEnd): void {
    this.#calls--;
    this.#pool.remove(backend);
    if (end.kind === "failed") {
      this.#options.events.streamFailed("from_agent", Code[ConnectError.from(end.error).code] ?? "Unknown", "Unknown");
    }
    log.info("agent {agentId} disconnected, {agents} connected", {
      agentId: backend.info.agentId,
      agents: this.#pool.size,
      tunnels: backend.tunnelCount,
      reason: end.kind === "failed" ? end.error.message : "closed in order",
    });
  }
}

function identifiersOf(call: AgentCall): AgentIdentifiers {
  const lists = call.metadata(metadataKeys.agentIdentifiers);
  if (lists.length > 1) {
    throw new ConnectError(
      `expected at most one set of agent identifiers in the context, got [${lists.join(" ")}]`,
      Code.InvalidArgument,
    );
  }
  try {
    const identifiers = parseIdentifiers(lists[0] ?? "");
    const { ipv4, ipv6, host, cidr } = identifiers;
    const count = ipv4.length + ipv6.length + host.length + cidr.length;
    if (count <= serverLimits.maxIdentifiers) return identifiers;
    throw new ConnectError(
      `agent has ${count} identifiers, more than ${serverLimits.maxIdentifiers}`,
      Code.ResourceExhausted,
    );
  } catch (error) {
    if (!(error instanceof IdentifiersError)) throw error;
    throw new ConnectError(`fail to parse url encoded string: ${error.message}`, Code.InvalidArgument);
  }
}
