import type { Owner } from "../faults/fault.ts";
import type { Channel } from "../mux/channel.ts";
import type { PeerIdentity } from "../wire/peer_identity.ts";
import type { FrontendKind } from "./audit_trail.ts";
import type { DialFailure } from "./dial_outcome.ts";

/** Who dials. Its stream ends when it throws at the tunnel's end. */
export interface TunnelClient extends Owner {
  readonly frontend: FrontendKind;
  /** Who it is, by what its connection proves. */
  readonly peer: PeerIdentity;
  /** The trace that the client's request is a part of, as it came; absent: none, or nobody traces. */
  readonly traceparent?: string | undefined;
  /** The client understands that the destination sends no more while it may still send itself. */
  readonly halfCloses: boolean;
  /** The destination was reached: the channel leads there, and the client pipes its bytes to it. The channel's end follows. */
  tunnelDialed(channel: Channel): void;
  /** The destination was not reached; nothing follows. */
  tunnelDialFailed(failure: DialFailure): void;
}
