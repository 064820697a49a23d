import type { AgentEvents, AgentGauges, AgentSegment, EndpointCloseReason } from "../agent/agent_events.ts";
import type { DialFailure } from "../agent/dialler.ts";
import type { EndpointCloseInitiator } from "../agent/endpoint.ts";
import { agentMetricDeclarations as metrics } from "./agent_metric_declarations.ts";
import { type AgentLeaseEvents, statusLabel } from "./kube_events.ts";
import { MetricRegistry } from "./metric_registry.ts";
import { addProcessMetrics, type ProcessGauges, type ProcessMetrics } from "./process_metrics.ts";
import { countedBytes, countedPackets } from "./stream_metrics.ts";

/** What the agent's metrics depend on. */
export interface AgentMetricsOptions {
  /** Of this program. */
  readonly version: string;
  readonly process?: ProcessGauges;
}

/** What of {@link AgentEvents} is counted, and all that the metrics need of it. */
export interface CountedAgentEvents extends Pick<AgentEvents, "streamFailed"> {
  endpointDialed(seconds: number): void;
  endpointDialFailed(reason: DialFailure["reason"]): void;
  endpointClosed(seconds: number, reason: EndpointCloseReason, initiator: EndpointCloseInitiator): void;
}

/** The agent's metrics: events go in, Prometheus' text comes out. */
export interface AgentMetrics extends ProcessMetrics {
  readonly events: CountedAgentEvents;
  readonly leaseEvents: AgentLeaseEvents;
  text(): Promise<string>;
  readonly contentType: string;
}

const segments: readonly AgentSegment[] = ["from_agent", "to_agent"];

/** The deprecated counter's name for a direction. */
const directions: Readonly<Record<AgentSegment, string>> = { from_agent: "to_server", to_agent: "from_server" };

/** Characters of a server's id that reach a label; ids are chosen by servers. */
const serverIdLimitChars = 128;

/**
 * Makes the agent's metrics: the original's by name, labels, buckets and help, and ours beside them.
 * @param gauges gives the agent's tables; asked only when metrics are scraped, since the tables are made with the events
 */
export function createAgentMetrics(gauges: () => AgentGauges, options: AgentMetricsOptions): AgentMetrics {
  const registry = new MetricRegistry();
  const dialDuration = registry.histogram(metrics.dialDuration);
  const endpointDuration = registry.histogram(metrics.endpointDuration);
  // The original shows these from their first failure on; with 0 before, that failure is an increase.
  const connectionFailures = registry.counter(metrics.serverConnectionFailures, [["from_server"], ["to_server"]]);
  const dialFailures = registry.counter(metrics.endpointDialFailures, [
    ["timeout"],
    ["unknown"],
    ["not_allowed"],
    ["too_many_names"],
  ]);
  const streamErrors = registry.counter(metrics.streamErrors);
  const closedEndpoints = registry.counter(metrics.closedEndpoints);

  registry.gauge(metrics.openServerConnections, () => gauges().serverConnections);
  registry.gauge(metrics.knownServerCount, () => gauges().knownServerCount);
  registry.gauge(metrics.openEndpointConnections, () => gauges().endpointConnections);
  registry.readCounter(metrics.streamPackets, () => countedPackets(segments, gauges().packets));
  registry.readCounter(metrics.streamBytes, () => countedBytes(segments, gauges().packets));
  registry.gauge(metrics.pendingEndpointDials, () => gauges().pendingDials);
  registry.gauge(metrics.serverTunnels, () => tunnelsByServer(gauges()));
  registry.gauge(metrics.queuedBytes, () => gauges().queuedBytes);

  const leaseLists = registry.counter(metrics.leaseLists);
  const leaseListLatency = registry.labelledHistogram(metrics.leaseListLatency);
  const leaseWatches = registry.counter(metrics.leaseWatches);

  return {
    ...addProcessMetrics(registry, "agent", options.version, options.process),
    contentType: registry.contentType,
    text: () => registry.text(),
    events: {
      endpointDialed: (seconds) => dialDuration.observe(seconds),
      endpointDialFailed: (reason) => dialFailures(reason),
      endpointClosed: (seconds, reason, initiator) => {
        endpointDuration.observe(seconds);
        closedEndpoints(initiator, reason);
      },
      streamFailed: (segment, code, packetType) => {
        streamErrors(code, packetType, segment);
        connectionFailures(directions[segment]);
      },
    },
    leaseEvents: {
      leasesListed: (status, reason, seconds) => {
        leaseLists(statusLabel(status), reason);
        leaseListLatency(seconds, statusLabel(status));
      },
      leasesWatched: (status, reason) => leaseWatches(statusLabel(status), reason),
    },
  };
}

/** A server can be connected more than once for a moment; its tunnels are shown together. */
function tunnelsByServer(gauges: AgentGauges): (readonly [string[], number])[] {
  const sums = new Map<string, number>();
  for (const { serverId, tunnels } of gauges.servers()) {
    const id = serverId.slice(0, serverIdLimitChars);
    sums.set(id, (sums.get(id) ?? 0) + tunnels);
  }
  return Array.from(sums, ([id, tunnels]) => [[id], tunnels]);
}
