import type { AgentEvents, DialDropReason, EndpointCloseReason } from "../../agent/agent_events.ts";
import type { DialFailure } from "../../agent/dialler.ts";
import type { Endpoint, EndpointCloseInitiator } from "../../agent/endpoint.ts";
import type { LinkServer } from "../../agent/link_context.ts";
import type { ServerConnection } from "../../agent/servers/server_connection.ts";
import { guard, ownerOf } from "../../faults/owned.ts";
import type { StreamEnd } from "../../streams/packet_stream.ts";
import { linkEntryBase } from "../status/agent_status.ts";
import { rounded, shown } from "../status/status_page.ts";
import type {
  AgentDialEvent,
  AgentTunnelClosedEvent,
  LinkClosedEvent,
  LinkFailedEvent,
  LinkOpenedEvent,
} from "./agent_event.ts";
import { type EventOutlet, milliseconds } from "./program_event.ts";

/** What throws here is nobody's but the watchers'. */
const owner = ownerOf("request");

/** What an event says of a dial; an endpoint is its own. */
type Dialled = Pick<Endpoint, "random" | "destination">;

/** The clock that the agent lives on. */
export interface AgentTime {
  readonly now: () => number;
  readonly timeOfDay: () => number;
}

/** Makes events of what an agent reports; nothing is made where nobody watches. */
export class AgentEventFeed implements Omit<AgentEvents, "streamFailed"> {
  readonly #outlet: EventOutlet;
  readonly #clock: AgentTime;

  constructor(outlet: EventOutlet, clock: AgentTime) {
    this.#outlet = outlet;
    this.#clock = clock;
  }

  linkOpened(connection: ServerConnection): void {
    if (!this.#outlet.wants("link-opened")) return;
    guard(owner, () => {
      const event: LinkOpenedEvent = { type: "link-opened", time: this.#time, ...linkEntryBase(connection) };
      this.#outlet.publish(event);
    });
  }

  linkClosed(connection: ServerConnection, end: StreamEnd, stopped: boolean): void {
    if (!this.#outlet.wants("link-closed")) return;
    guard(owner, () => {
      const { link, retired } = connection;
      const failed = end.kind === "failed";
      const event: LinkClosedEvent = {
        type: "link-closed",
        time: this.#time,
        ...linkEntryBase(connection),
        seconds: rounded((this.#clock.now() - link.since) / 1000),
        bytes: link.bytes,
        reason: stopped ? "shutdown" : retired ? "retired" : failed ? "lost" : "ended",
        ...(failed ? { message: shown(end.error.message) } : {}),
      };
      this.#outlet.publish(event);
    });
  }

  linkFailed(address: string, message: string): void {
    if (!this.#outlet.wants("link-failed")) return;
    guard(owner, () => {
      const event: LinkFailedEvent = { type: "link-failed", time: this.#time, address, message: shown(message) };
      this.#outlet.publish(event);
    });
  }

  dialDropped(
    reason: DialDropReason,
    message: string,
    seconds: number,
    random: bigint,
    destination: string,
    server: LinkServer,
  ): void {
    if (this.#outlet.wants("dial")) this.#dial({ random, destination }, server, seconds, reason, message);
  }

  endpointDialed(seconds: number, endpoint: Endpoint, server: LinkServer): void {
    if (this.#outlet.wants("dial")) this.#dial(endpoint, server, seconds);
  }

  endpointDialFailed(
    reason: DialFailure["reason"],
    message: string,
    seconds: number,
    endpoint: Endpoint,
    server: LinkServer,
  ): void {
    if (this.#outlet.wants("dial")) this.#dial(endpoint, server, seconds, reason, message);
  }

  #dial(dial: Dialled, server: LinkServer, seconds: number, reason?: string, message = ""): void {
    guard(owner, () => {
      const event: AgentDialEvent = {
        type: "dial",
        time: this.#time,
        ...ofDial(dial, server),
        outcome: reason === undefined ? "ok" : "failed",
        ms: milliseconds(seconds),
        ...(reason === undefined ? {} : { reason, message: shown(message) }),
      };
      this.#outlet.publish(event);
    });
  }

  endpointClosed(
    seconds: number,
    reason: EndpointCloseReason,
    initiator: EndpointCloseInitiator,
    endpoint: Endpoint,
    server: LinkServer,
  ): void {
    if (!this.#outlet.wants("tunnel-closed")) return;
    guard(owner, () => {
      const event: AgentTunnelClosedEvent = {
        type: "tunnel-closed",
        time: this.#time,
        ...ofDial(endpoint, server),
        seconds: rounded(seconds),
        bytes: endpoint.bytes,
        reason,
        initiator,
      };
      this.#outlet.publish(event);
    });
  }

  get #time(): string {
    return new Date(this.#clock.timeOfDay()).toISOString();
  }
}

function ofDial({ random, destination }: Dialled, { serverId }: LinkServer) {
  return { id: String(random), server: shown(serverId), destination: shown(destination) };
}
