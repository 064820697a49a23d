import type { Owner } from "../faults/fault.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import type { PeerIdentity } from "../wire/peer_identity.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { FrontendKind } from "./audit_trail.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { ServerTunnel } from "./tunnel.ts";

/** The frontend's side of a tunnel: what the tunnel reports to the client. Its stream ends when it throws at the tunnel's end. */
export interface TunnelClient extends Owner {
  readonly frontend: FrontendKind;
  /** Who it is, by what its connection proves. */
  readonly peer: PeerIdentity;
  /** The trace that the client's request is a part of, as it came; absent: none, or nobody traces. */
  readonly traceparent?: string | undefined;
  /** The client understands that the destination sends no more while it may still send itself. */
  readonly halfCloses: boolean;
  /** The destination was reached. */
  tunnelDialed(connectId: ConnectId): void;
  /** The destination was not reached; nothing follows. */
  tunnelDialFailed(failure: DialFailure): void;
  /** Bytes from the destination. Returns false when the client is full; it calls {@link ServerTunnel.clientDrained} later. */
  tunnelData(payload: Uint8Array): boolean;
  /** Data can be sent again after {@link ServerTunnel.send} returned false. */
  tunnelWritable(): void;
  /** The destination sends no more; only where {@link halfCloses}. */
  tunnelEnded(): void;
  /** The tunnel ended; nothing follows. `error` is empty when the destination closed in order. */
  tunnelClosed(error: string): void;
}

/** What a tunnel needs of its agent's link; the backend is it. */
export interface TunnelLink {
  /** The agent at its other end. */
  readonly info: AgentInfo;
  /** The agent takes CLOSE_WRITE. */
  readonly halfCloses: boolean;
  sendCloseRequest(connectId: ConnectId): void;
  sendCloseDial(tunnelId: bigint): void;
  /** The tunnel was closed from this side: {@link ServerTunnel.unanswered} is called if the agent never answers. */
  closing(tunnel: ServerTunnel): void;
  /** The tunnel is closed and can be forgotten. */
  forget(tunnel: ServerTunnel): void;
}
