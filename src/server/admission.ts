import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import type { AllowedNames } from "../wire/destination/allowed_names.ts";
import { type PeerIdentity, peerName } from "../wire/peer_identity.ts";
import type { PeerRefusal, PeerRole, ServerEvents } from "./server_events.ts";

const log = getLogger(["server", "admission"]);

/** Decides by the names of its certificate whether a peer may be a client, or an agent. */
export class Admission {
  readonly #role: PeerRole;
  /** Absent: everybody whom the listener lets in. */
  readonly #names: AllowedNames | undefined;
  readonly #events: ServerEvents;

  constructor(role: PeerRole, names: AllowedNames | undefined, events: ServerEvents) {
    this.#role = role;
    this.#names = names;
    this.#events = events;
  }

  /** Why the peer is refused, after that has been counted; undefined where it may come in. */
  refusal(peer: PeerIdentity): ConnectError | undefined {
    if (this.#names === undefined || this.#names.allows(peer.certificate)) return undefined;
    const refusal = this.refuse("name", `its certificate bears no name of --${this.#role}-allowed-names`);
    // The refusals of agents have a line of their own, whatever the reason.
    if (this.#role === "client") {
      const { address } = peer;
      log.warn("refused client {client}: {reason}", { client: peerName(peer), reason: refusal.rawMessage, address });
    }
    return refusal;
  }

  /** Counts that a peer is refused. @returns the error that it receives */
  refuse(reason: PeerRefusal, why: string): ConnectError {
    this.#events.peerRefused(this.#role, reason);
    return new ConnectError(`${this.#role} is refused: ${why}`, Code.PermissionDenied);
  }
}
