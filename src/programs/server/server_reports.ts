import type { CountedServerEvents } from "../../metrics/server_metrics.ts";
import type { ServerEventFeed } from "../../ops/events/server_event_feed.ts";
import type { RecentFailures } from "../../ops/status/recent_failures.ts";
import type { ServerEvents } from "../../server/server_events.ts";
import { peerName } from "../../wire/peer_identity.ts";

/** Whoever hears what a server reports: counts what happens, keeps failed dials for the status, and tells who watches. */
export function reporting(counted: CountedServerEvents, failures: RecentFailures, feed: ServerEventFeed): ServerEvents {
  return {
    ...counted,
    agentConnected: (backend) => feed.agentConnected(backend),
    agentDisconnected: (backend, end) => feed.agentDisconnected(backend, end),
    dialing: (client) => feed.dialing(client),
    dialed(seconds, dial) {
      counted.dialed(seconds);
      feed.dialed(seconds, dial);
    },
    dialFailed(reason, message = "", dial) {
      counted.dialFailed(reason);
      feed.dialFailed(reason, message, dial);
      if (dial === undefined) return;
      failures.add({ reason, message, destination: dial.target.address, client: peerName(dial.client.peer) });
    },
    tunnelClosed(seconds, reason, initiator, tunnel, message) {
      counted.tunnelClosed(seconds, reason, initiator);
      feed.tunnelClosed(seconds, reason, initiator, tunnel, message);
    },
  };
}
