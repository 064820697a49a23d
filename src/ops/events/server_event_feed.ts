import { guard, ownerOf } from "../../faults/owned.ts";
import type { Backend } from "../../server/backend.ts";
import type { CloseInitiator, CloseReason, ServerDial, ServerEvents } from "../../server/server_events.ts";
import type { ServerTunnel } from "../../server/tunnel.ts";
import type { TunnelClient } from "../../server/tunnel_client.ts";
import type { StreamEnd } from "../../streams/packet_stream.ts";
import { type PeerIdentity, peerName } from "../../wire/peer_identity.ts";
import { agentEntryBase, clientEntry } from "../status/server_status.ts";
import { rounded, shown, visit } from "../status/status_page.ts";
import { type EventOutlet, milliseconds } from "./program_event.ts";
import type {
  AgentConnectedEvent,
  AgentDisconnectedEvent,
  ServerDialEvent,
  ServerTunnelClosedEvent,
} from "./server_event.ts";

/** Types that show a peer at its end. */
const ofPeers = ["agent-disconnected", "dial", "tunnel-closed"];

type Reported = "agentConnected" | "agentDisconnected" | "dialing" | "dialFailed" | "dialed" | "tunnelClosed";

/** What throws here is nobody's but the watchers'. */
const owner = ownerOf("request");

/** Makes events of what a server reports; nothing is made where nobody watches. */
export class ServerEventFeed implements Pick<ServerEvents, Reported> {
  readonly #outlet: EventOutlet;
  readonly #timeOfDay: () => number;

  /** @param timeOfDay milliseconds since the epoch */
  constructor(outlet: EventOutlet, timeOfDay: () => number) {
    this.#outlet = outlet;
    this.#timeOfDay = timeOfDay;
  }

  agentConnected(backend: Backend): void {
    if (!this.#outlet.wants("agent-connected")) {
      // Whoever watches its end is to be told who it was.
      if (this.#outlet.wants("agent-disconnected")) settle(backend.info.peer);
      return;
    }
    guard(owner, () => {
      const { agent, ...base } = ofAgent(backend);
      const event: AgentConnectedEvent = { type: "agent-connected", time: this.#time, agent, ...base };
      this.#outlet.publish(event);
    });
  }

  agentDisconnected(backend: Backend, end: StreamEnd): void {
    if (!this.#outlet.wants("agent-disconnected")) return;
    guard(owner, () => {
      const event: AgentDisconnectedEvent = {
        type: "agent-disconnected",
        time: this.#time,
        ...ofAgent(backend),
        seconds: rounded(backend.seconds),
        bytes: backend.bytes,
        tunnels: backend.tunnelCount,
        ...(end.kind === "failed"
          ? { reason: "failed", message: shown(end.error.message) } as const
          : { reason: "closed" } as const),
      };
      this.#outlet.publish(event);
    });
  }

  dialing({ peer }: TunnelClient): void {
    if (this.#outlet.wants("dial") || this.#outlet.wants("tunnel-closed")) guard(owner, () => settle(peer));
  }

  dialFailed(reason: string, message?: string, dial?: ServerDial): void {
    if (dial !== undefined && this.#outlet.wants("dial")) this.#dial(dial, dial.seconds, reason, message);
  }

  dialed(seconds: number, dial: ServerDial): void {
    if (this.#outlet.wants("dial")) this.#dial(dial, seconds);
  }

  #dial(dial: ServerDial, seconds: number, reason?: string, message = ""): void {
    guard(owner, () => {
      const event: ServerDialEvent = {
        type: "dial",
        time: this.#time,
        ...ofDial(dial),
        outcome: reason === undefined ? "ok" : "failed",
        ms: milliseconds(seconds),
        ...(reason === undefined ? {} : { reason, message: shown(message) }),
      };
      this.#outlet.publish(event);
    });
  }

  tunnelClosed(
    seconds: number,
    reason: CloseReason,
    initiator: CloseInitiator,
    tunnel: ServerTunnel,
    message: string,
  ): void {
    if (!this.#outlet.wants("tunnel-closed")) return;
    guard(owner, () => {
      const event: ServerTunnelClosedEvent = {
        type: "tunnel-closed",
        time: this.#time,
        ...ofDial(tunnel),
        seconds: rounded(seconds),
        bytes: tunnel.bytes,
        reason,
        initiator,
        ...(message === "" ? {} : { message: shown(message) }),
      };
      this.#outlet.publish(event);
    });
  }

  /**
   * Has everybody who is there asked who it is, since events show it at their end, when a connection that is gone cannot
   * be asked any more. To be called when somebody begins to watch.
   */
  async settle(backends: Iterable<Backend>): Promise<void> {
    if (!ofPeers.some((type) => this.#outlet.wants(type))) return;
    // A copy of the list: agents come and go meanwhile.
    await visit(peersOf([...backends]), settle, peersOfStep);
  }

  get #time(): string {
    return new Date(this.#timeOfDay()).toISOString();
  }
}

/** Peers between two looks at the clock: a certificate that is read takes a tenth of a millisecond. */
const peersOfStep = 16;

function* peersOf(backends: readonly Backend[]): Iterable<PeerIdentity> {
  for (const backend of backends) {
    yield backend.info.peer;
    for (const { client } of backend.dials()) yield client.peer;
    for (const { client } of backend.tunnels()) yield client.peer;
  }
}

/** What was asked for once stays known. */
function settle(peer: PeerIdentity): void {
  peerName(peer);
}

function ofAgent(backend: Backend) {
  const { id, ...base } = agentEntryBase(backend);
  return { agent: id, ...base };
}

function ofDial({ id, client, target, agent }: ServerDial) {
  return {
    id: String(id),
    client: clientEntry(client),
    destination: shown(target.address),
    ...(agent === undefined ? {} : { agent: shown(agent.agentId) }),
  };
}
