import type { DialFailureReason } from "../server/dial_outcome.ts";
import type { ServerEvents, ServerGauges, ServerSegment } from "../server/server_events.ts";
import type { StrategyName } from "../server/strategies.ts";
import { type ServerLeaseEvents, statusLabel } from "./lease_events.ts";
import { MetricRegistry } from "./metric_registry.ts";
import { addProcessMetrics, type ProcessMetrics } from "./process_metrics.ts";
import { serverMetricDeclarations as metrics } from "./server_metric_declarations.ts";
import { countedBytes, countedPackets } from "./stream_metrics.ts";

/** What the server's metrics depend on. */
export interface ServerMetricsOptions {
  /** Those that `--proxy-strategies` names: each has a series. */
  readonly strategies: readonly StrategyName[];
  /** Of this program. */
  readonly version: string;
}

/** The server's metrics: events go in, Prometheus' text comes out. */
export interface ServerMetrics extends ProcessMetrics {
  readonly events: ServerEvents;
  readonly leaseEvents: ServerLeaseEvents;
  text(): Promise<string>;
  readonly contentType: string;
}

/** Each is there with 0 from the start, so that the first failure is an increase. */
const dialFailureReasons: Readonly<Record<DialFailureReason, true>> = {
  no_agent: true,
  error_response: true,
  unrecognized_response: true,
  send_rsp: true,
  backend_close: true,
  backend_dial_timeout: true,
  frontend_close: true,
};

const segments: readonly ServerSegment[] = ["from_client", "to_client", "from_agent", "to_agent"];

/** Characters of an agent's id that reach a label; ids are chosen by agents. */
const agentIdLimitChars = 128;

/**
 * Makes the server's metrics: the original's by name, labels, buckets and help, and ours beside them.
 * @param gauges gives the server's tables; asked only when metrics are scraped, since the tables are made with the events
 */
export function createServerMetrics(gauges: () => ServerGauges, options: ServerMetricsOptions): ServerMetrics {
  const registry = new MetricRegistry();
  const dialDuration = registry.histogram(metrics.dialDuration);
  const frontendWriteDuration = registry.histogram(metrics.frontendWriteDuration);
  const connectionDuration = registry.histogram(metrics.connectionDuration);
  const dialFailures = registry.counter(metrics.dialFailures, Object.keys(dialFailureReasons).map((name) => [name]));
  const streamErrors = registry.counter(metrics.streamErrors);
  const closedTunnels = registry.counter(metrics.closedTunnels);

  registry.gauge(metrics.grpcConnections, () => {
    const { proxyCalls, connectCalls } = gauges();
    return [[["Connect"], connectCalls], [["Proxy"], proxyCalls]];
  });
  registry.gauge(metrics.httpConnections, () => gauges().connectRequests);
  registry.gauge(metrics.readyBackendConnections, () => new Set(agentIds(gauges())).size);
  registry.gauge(
    metrics.readyBackends,
    () => options.strategies.map((name) => [[name], gauges().readyBackends(name)] as const),
  );
  registry.gauge(metrics.pendingBackendDials, () => gauges().pendingDials);
  registry.gauge(metrics.establishedConnections, () => gauges().establishedTunnels);
  registry.gauge(metrics.fullReceiveChannels, () => {
    const { heldAgentStreams, heldClientStreams } = gauges();
    return [[["Connect"], heldAgentStreams], [["Proxy"], heldClientStreams]];
  });
  registry.readCounter(metrics.streamPackets, () => countedPackets(segments, gauges().packets));
  registry.readCounter(metrics.streamBytes, () => countedBytes(segments, gauges().packets));
  registry.gauge(metrics.backendTunnels, () => tunnelsByAgent(gauges()));
  registry.gauge(metrics.drainingBackends, () => new Set(agentIds(gauges(), true)).size);
  registry.gauge(metrics.queuedBytes, () => gauges().queuedBytes);

  const leaseDeletes = registry.counter(metrics.leaseDeletes);
  const leaseDeleteLatency = registry.labelledHistogram(metrics.leaseDeleteLatency);
  const leaseLists = registry.counter(metrics.leaseLists);
  const leaseListLatency = registry.labelledHistogram(metrics.leaseListLatency);
  const culledLeases = registry.counter(metrics.culledLeases);

  return {
    ...addProcessMetrics(registry, "server", options.version),
    contentType: registry.contentType,
    text: () => registry.text(),
    events: {
      dialFailed: (reason) => dialFailures(reason),
      dialed: (seconds) => dialDuration.observe(seconds),
      tunnelClosed: (seconds, reason, initiator) => {
        connectionDuration.observe(seconds);
        closedTunnels(initiator, reason);
      },
      frontendWritten: (seconds) => frontendWriteDuration.observe(seconds),
      streamFailed: (segment, code, packetType) => streamErrors(code, packetType, segment),
    },
    leaseEvents: {
      leasesListed: (status, reason, seconds) => {
        leaseLists(statusLabel(status), reason);
        leaseListLatency(seconds, statusLabel(status));
      },
      leaseDeleted: (status, reason, seconds) => {
        leaseDeletes(statusLabel(status), reason);
        leaseDeleteLatency(seconds, statusLabel(status));
      },
      leaseCulled: () => culledLeases(),
    },
  };
}

function* agentIds(gauges: ServerGauges, draining?: boolean): Generator<string> {
  for (const backend of gauges.backends()) {
    if (draining === undefined || backend.draining === draining) yield backend.agentId;
  }
}

/** An agent can be connected more than once; its tunnels are shown together. */
function tunnelsByAgent(gauges: ServerGauges): (readonly [string[], number])[] {
  const sums = new Map<string, number>();
  for (const { agentId, tunnels } of gauges.backends()) {
    const id = agentId.slice(0, agentIdLimitChars);
    sums.set(id, (sums.get(id) ?? 0) + tunnels);
  }
  return Array.from(sums, ([id, tunnels]) => [[id], tunnels]);
}
