import type { Clock } from "../runtime/clock.ts";
import { notAllowed } from "../wire/destination/destination_policy.ts";
import type { DialTarget } from "../wire/packet.ts";
import { type PeerCertificate, type PeerIdentity, peerName } from "../wire/peer_identity.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { DialRecord } from "./dial_record.ts";
import type { CloseInitiator, CloseReason } from "./server_events.ts";
import type { TunnelClient } from "./tunnel_client.ts";

/** What a client speaks; `probe` is the server itself, which dials a destination to see whether it can be reached. */
export type FrontendKind = "grpc" | "http-connect" | "probe";

/** Takes the lines of the audit log, each a JSON object without a line break. */
export type AuditSink = (line: string) => void;

/** Characters that reach the log of a text that a peer chose. */
const maxTextChars = 1024;

/**
 * Writes who dialled what, through which agent, and what became of it: a line `dial` once the dial has its outcome, and a
 * line `close` at the end of each tunnel that was opened. Both have one `id`, which names the tunnel in the logs of server
 * and agent too. No line holds traffic, headers or tokens.
 */
export class AuditTrail {
  readonly #sink: AuditSink;
  readonly #clock: Clock;
  /** What is said of an agent, or of a certificate, is put together once for all dials. */
  readonly #agents = new WeakMap<AgentInfo, string>();
  readonly #certificates = new WeakMap<PeerCertificate, string>();

  constructor(sink: AuditSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** A client asks for a destination. */
  dial(id: bigint, target: DialTarget, client: TunnelClient): DialAudit {
    const who = this.#client(client.peer, client.frontend);
    const protocol = target.protocol === "tcp" ? "" : `,"protocol":${text(target.protocol)}`;
    return new DialAudit(this, this.#clock, `"id":"${id}",${who}${protocol},"destination":${text(target.address)}`);
  }

  /** A client was refused for who it is. @param destination undefined where it had not asked for one yet */
  clientRefused(peer: PeerIdentity, frontend: FrontendKind, destination: string | undefined, message: string): void {
    const asked = destination === undefined ? "" : `,"destination":${text(destination)}`;
    const why = `"outcome":"refused","reason":"name","message":${text(message)}`;
    this.write("dial", `${this.#client(peer, frontend)}${asked},${why}`);
  }

  /** @param members of the line's object, as JSON */
  write(event: "dial" | "close", members: string): void {
    this.#sink(`{"time":"${new Date(this.#clock.timeOfDay()).toISOString()}","event":"${event}",${members}}`);
  }

  /** What lines say of an agent, as a member of their object. */
  agent(info: AgentInfo): string {
    const known = this.#agents.get(info);
    if (known !== undefined) return known;
    const { agentId, peer, token } = info;
    const by = token === undefined ? "" : `,"token":${JSON.stringify(filled(token))}`;
    const json = `"agent":{"id":${text(agentId)},${this.#identity(peer)}${by}}`;
    this.#agents.set(info, json);
    return json;
  }

  #client(peer: PeerIdentity, frontend: FrontendKind): string {
    return `"client":{"frontend":"${frontend}",${this.#identity(peer)}}`;
  }

  #identity(peer: PeerIdentity): string {
    const { address, certificate } = peer;
    const names = `"name":${text(peerName(peer))},"address":${JSON.stringify(address)}`;
    if (certificate === undefined) return names;
    const known = this.#certificates.get(certificate);
    const json = known ?? JSON.stringify(filled(certificate));
    if (known === undefined) this.#certificates.set(certificate, json);
    return `${names},"certificate":${json}`;
  }
}

/** How a tunnel ended that was open. */
export interface TunnelEnd {
  /** Since the dial's outcome. */
  readonly seconds: number;
  readonly reason: CloseReason;
  readonly initiator: CloseInitiator;
  /** Empty where there is nothing to say. */
  readonly message: string;
  /** Of the client, for the destination, and the other way round. */
  readonly bytes: { readonly sent: number; readonly received: number };
}

/** One dial in the audit log. */
export class DialAudit implements DialRecord {
  readonly #trail: AuditTrail;
  readonly #clock: Clock;
  readonly #about: string;
  readonly #since: number;
  #agent = "";
  #resolved = "";

  /** @param about what every line of the dial says, as members of its object */
  constructor(trail: AuditTrail, clock: Clock, about: string) {
    this.#trail = trail;
    this.#clock = clock;
    this.#since = clock.now();
    this.#about = about;
  }

  /** The agent that the dial goes through; again when it moves to another. */
  assigned(info: AgentInfo): void {
    this.#agent = `,${this.#trail.agent(info)}`;
  }

  /** @param resolved the address that was connected to; empty where the agent does not say */
  connected(resolved: string): void {
    if (resolved !== "") this.#resolved = `,"resolved":${text(resolved)}`;
    this.#dialEnded(`"outcome":"connected"`);
  }

  failed({ reason, message }: DialFailure): void {
    // By this server, or by an agent of ours.
    const refused = reason === "not_allowed" || message.includes(`: ${notAllowed}: `);
    const outcome = refused ? "refused" : "failed";
    this.#dialEnded(`"outcome":"${outcome}","reason":"${reason}","message":${text(message)}`);
  }

  closed({ seconds, reason, initiator, message, bytes: { sent, received } }: TunnelEnd): void {
    const bytes = `"bytesToDestination":${sent},"bytesFromDestination":${received}`;
    const why = `"reason":"${reason}","initiator":"${initiator}"${message === "" ? "" : `,"message":${text(message)}`}`;
    this.#write("close", `${bytes},"seconds":${seconds.toFixed(3)},${why}`);
  }

  #dialEnded(outcome: string): void {
    const seconds = (this.#clock.now() - this.#since) / 1000;
    this.#write("dial", `${outcome},"seconds":${seconds.toFixed(3)}`);
  }

  #write(event: "dial" | "close", members: string): void {
    this.#trail.write(event, `${this.#about}${this.#resolved}${this.#agent},${members}`);
  }
}

/** The members that are not empty. */
function filled(members: object): object {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]: [string, unknown]) =>
      value !== "" && !(Array.isArray(value) && value.length === 0)
    ),
  );
}

function cut(value: string): string {
  return value.length <= maxTextChars ? value : `${value.slice(0, maxTextChars).toWellFormed()}…`;
}

function text(value: string): string {
  return JSON.stringify(cut(value));
}
