import { readHost } from "../wire/destination/destination_host.ts";
import { type DestinationLists, judgeAsked, notAllowed, type Verdict } from "../wire/destination/destination_policy.ts";
import type { DestinationRule } from "../wire/destination/destination_rule.ts";
import { parseHostPort } from "../wire/destination/host_port.ts";
import type { DialTarget } from "../wire/packet.ts";
import type { PeerIdentity } from "../wire/peer_identity.ts";
import type { AllowedNames } from "../wire/destination/allowed_names.ts";

/** One client's own destinations, of `--client-destinations`. */
export interface ClientDestination {
  /** Of the client's certificate; undefined: every client, those without a certificate too. */
  readonly client: AllowedNames | undefined;
  readonly rule: DestinationRule;
}

/** What this server's clients may reach. */
export interface DialPolicyOptions {
  /** `--destinations` and `--deny-destinations`: for all clients. */
  readonly lists: DestinationLists;
  /** Where there are any, a client reaches only what those that name it allow, and `lists` too. */
  readonly clients: readonly ClientDestination[];
}

/** A policy that refuses nothing but other protocols. */
export const anyDial: DialPolicyOptions = { lists: { allow: [], deny: [] }, clients: [] };

/**
 * The one protocol that is passed on. An agent of the original dials whatever it is asked to: `unix` would reach sockets of
 * its node, such as the container runtime's. kube-apiserver asks for nothing else.
 */
const onlyProtocol = "tcp";

const reasons: Readonly<Record<Verdict, string>> = {
  denied: "among this server's --deny-destinations",
  unlisted: "not among this server's --destinations",
};

/**
 * Judges dials by what clients ask for, before an agent is chosen. Nothing is resolved here: a name is judged as a name,
 * and only an address by ranges; what a name leads to is the agent's to judge.
 */
export class DialPolicy {
  readonly #lists: DestinationLists;
  readonly #clients: readonly ClientDestination[];
  readonly #open: boolean;

  constructor({ lists, clients }: DialPolicyOptions) {
    this.#lists = lists;
    this.#clients = clients;
    this.#open = lists.allow.length === 0 && lists.deny.length === 0 && clients.length === 0;
  }

  /**
   * Why a dial is refused, as its client reads it; undefined when it may go to an agent.
   * @param peer undefined: the server itself, whom `--client-destinations` do not name
   */
  refusal(target: DialTarget, peer: PeerIdentity | undefined): string | undefined {
    const why = target.protocol === onlyProtocol
      ? this.#open ? undefined : this.#why(target.address, peer)
      : `this server passes only ${onlyProtocol} on`;
    return why === undefined ? undefined : `dial ${target.protocol} ${target.address}: ${notAllowed}: ${why}`;
  }

  #why(address: string, peer: PeerIdentity | undefined): string | undefined {
    const target = parseHostPort(address);
    // An agent may read it in another way.
    if (typeof target === "string") return target;
    const asked = readHost(target.host);
    const verdict = judgeAsked(this.#lists, asked, target.port);
    if (verdict !== undefined) return reasons[verdict];
    if (this.#clients.length === 0 || peer === undefined) return undefined;
    const own = this.#clients.filter(({ client }) => client === undefined || client.allows(peer.certificate));
    if (own.length === 0) return "no --client-destinations name this client";
    const lists = { allow: own.map(({ rule }) => rule), deny: [] };
    return judgeAsked(lists, asked, target.port) === undefined
      ? undefined
      : "not among this client's --client-destinations";
  }
}
