import type { SessionOptions } from "../../../src/mux/session.ts";
import { sessionOn } from "./channel_owner.ts";
import { packetPair, PacketRecorder } from "./packet_pair.ts";
import { shortName } from "./server_world.ts";

/** A session with windows on a link whose other end the test plays; `peer` notes what comes there. */
export function linkedSession(options: Partial<SessionOptions> = {}) {
  const pair = packetPair();
  const peer = new PacketRecorder(shortName);
  pair.far.start(peer);
  const session = sessionOn(pair.near, { windows: true, ...options });
  pair.near.start({
    onData: (id, payload) => session.deliver(id, payload),
    onPacket: () => {},
    onDrain: () => session.scheduler.onDrain(),
    onEnd: () => {},
    onClose: () => {},
  });
  return { pair, peer, session };
}
