import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import { isProgramError, reportFault } from "../../faults/fault.ts";
import { follow, guard, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream, StreamEnd } from "../../streams/packet_stream.ts";
import type { KeepaliveOptions } from "../../liveness/keepalive.ts";
import { PingedStream } from "../../liveness/pinged_stream.ts";
import type { GrowthBudget } from "../../streams/growth_budget.ts";
import { type AgentIdentifiers, IdentifiersError, parseIdentifiers } from "../../wire/identifiers.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures } from "../../wire/metadata.ts";
import { type PeerIdentity, peerName, type TokenSubject } from "../../wire/peer_identity.ts";
import type { Admission } from "../admission.ts";
import type { AgentInfo } from "./agent_info.ts";
import { Backend } from "../backend.ts";
import type { BackendPool } from "../backend_pool.ts";
import { unprovenClaim } from "./identifier_claims.ts";
import { receiptCode, type ServerEvents } from "../server_events.ts";
import { serverLimits } from "../server_limits.ts";

const log = getLogger(["server", "agents"]);

/** A call of AgentService.Connect, before it is answered; exactly one of `accept` and `refuse` is called. */
export interface AgentCall {
  readonly peer: PeerIdentity;
  metadata(key: string): readonly string[];
  readonly signal: AbortSignal;
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  refuse(error: ConnectError): void;
}

/**
 * Decides whether an agent may connect, by the `authorization` values of its call, and says who it is.
 * @throws {ConnectError} to refuse it
 */
export type Authenticate = (authorization: readonly string[], signal: AbortSignal) => Promise<TokenSubject>;

/** What the server says to agents and how it treats them. */
export interface AgentServiceOptions {
  readonly serverId: string;
  /** Read for each agent. */
  readonly serverCount: () => number;
  readonly dialTimeoutMs: number;
  /** How old a link may become, in milliseconds; absent or 0: as old as it likes. */
  readonly maxLinkAgeMs?: number;
  readonly clock: Clock;
  /** When agents are pinged that may be behind an HTTP proxy; absent: never. */
  readonly keepalive?: KeepaliveOptions;
  readonly events: ServerEvents;
  readonly admission: Admission;
  /** Refuse agents that claim an identifier which neither their certificate nor their token bears. */
  readonly bindIdentifiers: boolean;
  /** Ask agents which address a dial has led to. */
  readonly asksResolved: boolean;
  /** Tell agents which trace a dial is a part of. */
  readonly traces: boolean;
  /** Absent: the listener's TLS decides alone. */
  readonly authenticate?: Authenticate;
  /** What all receive windows of the process may grow by together. */
  readonly growth: GrowthBudget;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
}

/** What this server offers to agents beyond the original's protocol; `resolved-address` only where somebody reads it. */
const offered: readonly Feature[] = [
  "half-close",
  "ping",
  "resolved-address",
  "trace-context",
  "window",
  "window-return",
];

interface Admitted {
  readonly agentId: string;
  readonly identifiers: AgentIdentifiers;
  readonly token: TokenSubject | undefined;
}

/** Takes agents in: checks what they say of themselves and makes each stream a backend. */
export class AgentService {
  readonly #pool: BackendPool;
  readonly #options: AgentServiceOptions;
  /** Calls that are being checked, and backends whose stream is open. */
  #checking = 0;
  readonly #backends = new Set<Backend>();
  readonly #byAgentId = new Map<string, Set<Backend>>();
  #draining = false;

  constructor(pool: BackendPool, options: AgentServiceOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Calls open now, those that are being checked included. */
  get callCount(): number {
    return this.#checking + this.#backends.size;
  }

  /** Refuses agents from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Serves one call until its stream is gone; never throws. */
  handle(call: AgentCall): void {
    follow(ownerOf("call"), this.#serve(call));
  }

  /** Never rejects: what throws once the agent is admitted, or while it is refused, ends this call alone. */
  async #serve(call: AgentCall): Promise<void> {
    this.#checking++;
    try {
      const admitted = await this.#admit(call);
      // Nobody hears it, but whoever waits for the answer is let go.
      if (call.signal.aborted) call.refuse(new ConnectError("the caller went away", Code.Canceled));
      else this.#connect(call, admitted);
    } catch (error) {
      const refusal = ConnectError.from(error, Code.Internal);
      if (isProgramError(error)) reportFault("call", error);
      guard(ownerOf("call"), () => {
        if (!call.signal.aborted) {
          log.warn("refused agent {agent}: {reason}", {
            agent: peerName(call.peer),
            reason: refusal.rawMessage,
            address: call.peer.address,
          });
        }
        call.refuse(refusal);
      });
    } finally {
      this.#checking--;
    }
  }

  async #admit(call: AgentCall): Promise<Admitted> {
    if (this.#draining) throw new ConnectError("server is shutting down", Code.Unavailable);
    const ids = call.metadata(metadataKeys.agentId);
    const [agentId] = ids;
    if (agentId === undefined || ids.length !== 1) {
      throw new ConnectError(`expected one agent ID in the context, got [${ids.join(" ")}]`, Code.InvalidArgument);
    }
    const stranger = this.#options.admission.refusal(call.peer);
    if (stranger !== undefined) throw stranger;
    // Before anything else of the call is looked at: a stranger gets no parsing done.
    const token = await this.#options.authenticate?.(call.metadata(metadataKeys.authorization), call.signal);
    const identifiers = identifiersOf(call);
    if (this.#options.bindIdentifiers) this.#requireProof(call.peer, identifiers, token);
    return { agentId, identifiers, token };
  }

  #requireProof(peer: PeerIdentity, identifiers: AgentIdentifiers, token: TokenSubject | undefined): void {
    const claim = unprovenClaim(identifiers, { certificate: peer.certificate, token });
    if (claim === undefined) return;
    const why = `it claims ${claim}, which neither its certificate nor its token bears (--bind-identifiers)`;
    throw this.#options.admission.refuse("identifier", why);
  }

  /** Answers the call. What throws behind the answer ends the stream, and its backend with it. */
  #connect(call: AgentCall, { agentId, identifiers, token }: Admitted): void {
    this.#makeRoom(agentId);
    const asked = parseFeatures(call.metadata(metadataKeys.features)[0]);
    const features = offered.filter((feature) =>
      asked.has(feature) && (feature !== "resolved-address" || this.#options.asksResolved) &&
      (feature !== "trace-context" || this.#options.traces)
    );
    const accepted = call.accept({
      [metadataKeys.serverId]: this.#options.serverId,
      [metadataKeys.serverCount]: String(this.#options.serverCount()),
      ...(asked.size === 0 ? {} : { [metadataKeys.features]: formatFeatures(features) }),
    });
    const { clock, keepalive } = this.#options;
    const link = features.includes("ping") ? new PingedStream(accepted, clock, keepalive) : accepted;
    const owner = ownerOf("link", (error) => link.destroy(error));
    guard(
      owner,
      () => this.#begin(link, { agentId, identifiers, peer: call.peer, token, features: new Set(features) }),
    );
  }

  /** @throws {ConnectError} the agent has as many links as one may have, and each carries something */
  #makeRoom(agentId: string): void {
    const links = this.#byAgentId.get(agentId);
    const { linksOfAgentId } = serverLimits;
    if (links === undefined || links.size < linksOfAgentId) return;
    for (const link of links) {
      if (link.tunnelCount > 0 || link.pendingDials > 0) continue;
      links.delete(link);
      log.warn("agent {agentId} has {links} links: the oldest that carries nothing is closed", {
        agentId,
        links: linksOfAgentId,
      });
      link.close(new ConnectError(`agent has ${linksOfAgentId} newer links`, Code.ResourceExhausted));
      return;
    }
    throw new ConnectError(`agent ${agentId} has ${linksOfAgentId} links that carry tunnels`, Code.ResourceExhausted);
  }

  #begin(link: PacketStream, info: AgentInfo): void {
    const backend = new Backend(info, link, {
      maxLinkAgeMs: this.#options.maxLinkAgeMs ?? 0,
      dialTimeoutMs: this.#options.dialTimeoutMs,
      clock: this.#options.clock,
      events: this.#options.events,
      growth: this.#options.growth,
      random: this.#options.random ?? Math.random,
      redial: (tunnel, failed) => this.#pool.redial(tunnel, failed),
      onClosed: (closed, end) => this.#disconnected(closed, end),
    });
    this.#backends.add(backend);
    const links = this.#byAgentId.get(info.agentId) ?? new Set();
    // One ping, however many agents share an id.
    const newest = [...links].at(-1);
    if (newest !== undefined) this.#pool.doubt(newest);
    this.#byAgentId.set(info.agentId, links.add(backend));
    try {
      this.#options.events.agentConnected(backend);
      this.#pool.add(backend);
      log.info("agent {agentId} connected, {agents} connected", { agentId: info.agentId, agents: this.#pool.size });
    } finally {
      // Also where something throws: the stream's end takes the backend out of every table.
      backend.start();
    }
  }

  #disconnected(backend: Backend, end: StreamEnd): void {
    const { agentId } = backend.info;
    const links = this.#byAgentId.get(agentId);
    links?.delete(backend);
    if (links?.size === 0) this.#byAgentId.delete(agentId);
    this.#backends.delete(backend);
    // Where it throws, the link is out of every table all the same.
    guard(backend, () => this.#options.events.agentDisconnected(backend, end));
    this.#pool.remove(backend);
    if (end.kind === "failed") {
      this.#options.events.streamFailed("from_agent", receiptCode(end.error), "Unknown");
    }
    log.info("agent {agentId} disconnected, {agents} connected", {
      agentId,
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
    const { maxIdentifiers, maxRanges } = serverLimits;
    if (count > maxIdentifiers) {
      throw new ConnectError(`agent has ${count} identifiers, more than ${maxIdentifiers}`, Code.ResourceExhausted);
    }
    if (cidr.length > maxRanges) {
      throw new ConnectError(`agent has ${cidr.length} ranges, more than ${maxRanges}`, Code.ResourceExhausted);
    }
    return identifiers;
  } catch (error) {
    if (!(error instanceof IdentifiersError)) throw error;
    throw new ConnectError(`fail to parse url encoded string: ${error.message}`, Code.InvalidArgument);
  }
}
