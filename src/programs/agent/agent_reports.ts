import type { AgentEvents } from "../../agent/agent_events.ts";
import type { CountedAgentEvents } from "../../metrics/agent_metrics.ts";
import { AgentEventFeed, type AgentTime } from "../../ops/events/agent_event_feed.ts";
import type { EventHub } from "../../ops/events/event_hub.ts";
import type { RecentFailures } from "../../ops/status/recent_failures.ts";

/** Whoever hears what an agent reports: counts what happens, keeps failed dials for the status, and tells who watches. */
export function reporting(
  counted: CountedAgentEvents,
  failures: RecentFailures,
  hub: EventHub,
  clock: AgentTime,
): AgentEvents {
  const feed = new AgentEventFeed(hub, clock);
  return {
    ...counted,
    linkOpened(connection) {
      feed.linkOpened(connection);
      hub.readinessChanged();
    },
    linkClosed(connection, end, stopped) {
      feed.linkClosed(connection, end, stopped);
      hub.readinessChanged();
    },
    linkFailed: (address, message) => feed.linkFailed(address, message),
    dialDropped: (reason, message, seconds, random, destination, server) =>
      feed.dialDropped(reason, message, seconds, random, destination, server),
    endpointDialed(seconds, endpoint, server) {
      counted.endpointDialed(seconds);
      feed.endpointDialed(seconds, endpoint, server);
    },
    endpointDialFailed(reason, message, seconds, endpoint, server) {
      counted.endpointDialFailed(reason);
      feed.endpointDialFailed(reason, message, seconds, endpoint, server);
      failures.add({ reason, message, destination: endpoint.destination });
    },
    endpointClosed(seconds, reason, initiator, endpoint, server) {
      counted.endpointClosed(seconds, reason, initiator);
      feed.endpointClosed(seconds, reason, initiator, endpoint, server);
    },
  };
}
