import type { AgentIdentifiers } from "../../wire/identifiers.ts";
import type { Feature } from "../../wire/metadata.ts";
import type { PeerIdentity, TokenSubject } from "../../wire/peer_identity.ts";

/** Who an agent said it is, and what it can do. */
export interface AgentInfo {
  /** Who it is, by what its connection proves. */
  readonly peer: PeerIdentity;
  /** Who it is by its token; undefined where agents need none. */
  readonly token: TokenSubject | undefined;
  readonly agentId: string;
  readonly identifiers: AgentIdentifiers;
  /** Features that both sides have. */
  readonly features: ReadonlySet<Feature>;
}
