import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { type PeerIdentity, unknownPeer } from "../../wire/peer_identity.ts";

/** Who sent a request that goes to the router, by its stream: the router's adapter hands nothing else on. */
const peers = new WeakMap<ServerHttp2Stream, PeerIdentity>();

/** Remembers who sent what comes on a stream. */
export function setStreamPeer(stream: ServerHttp2Stream, peer: PeerIdentity): void {
  peers.set(stream, peer);
}

/** Who sent a request. One that no listener of ours has seen comes from nobody who proved anything. */
export function peerOfRequest(request: Pick<Http2ServerRequest, "stream">): PeerIdentity {
  return peers.get(request.stream) ?? unknownPeer;
}
