import type { DialFailureReason } from "../server/dial_outcome.ts";
import type {
  CloseInitiator,
  CloseReason,
  PeerRefusal,
  PeerRole,
  ServerEvents,
  ServerGauges,
  ServerSegment,
} from "../server/server_events.ts";
import type { ProbeEvents } from "../server/probes/destination_probe.ts";
import type { ProbeFailureReason } from "../server/probes/probe_dial.ts";
import type { StrategyName } from "../server/strategies.ts";
import {
  type ServerLeaseEvents,
  statusLabel,
  type TokenEvents,
  type TokenReviewOutcome,
  type TokenReviewThrottle,
} from "./kube_events.ts";
import { MetricRegistry, type Series } from "./metric_registry.ts";
import { addProcessMetrics, type ProcessGauges, type ProcessMetrics } from "./process_metrics.ts";
import { serverMetricDeclarations as metrics } from "./server_metric_declarations.ts";
import { countedBytes, countedPackets } from "./stream_metrics.ts";

/** What the server's metrics depend on. */
export interface ServerMetricsOptions {
  /** Those that `--proxy-strategies` names: each has a series. */
  readonly strategies: readonly StrategyName[];
  /** Those of `--probe-destination`: each has series from the start. */
  readonly probeDestinations?: readonly string[];
  /** Of this program. */
  readonly version: string;
  /** Whether clients speak gRPC. Absent: they do. */
  readonly grpcClients?: boolean;
  /** Connected agents up to which there is a series of each. Absent: however many there are. */
  readonly perAgent?: number;
  /** Absent in workers, whose command shows those of the process. */
  readonly process?: ProcessGauges;
}

/** What the server's listeners report. */
export interface ServerListenerEvents {
  /** A connection was closed because it reached a bound. */
  connectionClosed(listener: string, reason: string): void;
  /** A call was refused because there are too many of its kind. */
  callRefused(listener: string, reason: string): void;
}

/** What of {@link ServerEvents} is counted, and all that the metrics need of it. */
export interface CountedServerEvents extends Pick<ServerEvents, "frontendWritten" | "streamFailed" | "peerRefused"> {
  dialFailed(reason: DialFailureReason): void;
  dialed(seconds: number): void;
  tunnelClosed(seconds: number, reason: CloseReason, initiator: CloseInitiator): void;
}

/** The server's metrics: events go in, Prometheus' text comes out. */
export interface ServerMetrics extends ProcessMetrics {
  readonly events: CountedServerEvents;
  readonly probeEvents: ProbeEvents;
  readonly leaseEvents: ServerLeaseEvents;
  readonly tokenEvents: TokenEvents;
  readonly listenerEvents: ServerListenerEvents;
  /** Sets where the number of lost lines of the audit log is read; without it the number is 0. */
  auditLost(read: () => number): void;
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
  not_allowed: true,
};

/** The reasons for which a probe can fail; the policy judges its destination at the start. */
const probeFailureReasons: readonly ProbeFailureReason[] = [
  "no_agent",
  "error_response",
  "unrecognized_response",
  "backend_close",
  "backend_dial_timeout",
  "timeout",
];

const segments: readonly ServerSegment[] = ["from_client", "to_client", "from_agent", "to_agent"];

/** What there can be: clients claim no identifiers. */
const peerRefusals: readonly (readonly [PeerRole, PeerRefusal])[] = [
  ["client", "name"],
  ["agent", "name"],
  ["agent", "identifier"],
];

/** What can become of a review of a token, and what can make one wait: each is there with 0 from the start. */
const tokenOutcomes: Readonly<Record<TokenReviewOutcome, true>> = { accepted: true, refused: true, failed: true };
const tokenThrottles: Readonly<Record<TokenReviewThrottle, true>> = { rate: true, api: true, too_many: true };

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
  const refusedCalls = registry.counter(metrics.refusedCalls);
  const closedConnections = registry.counter(metrics.closedConnections);
  const refusedPeers = registry.counter(metrics.refusedPeers, peerRefusals);
  const closedTunnels = registry.counter(metrics.closedTunnels);

  const { strategies, grpcClients = true, probeDestinations = [] } = options;
  // Of a service that nobody can call the original shows nothing.
  const byMethod = (agents: number, clients: number): Series[] =>
    grpcClients ? [[["Connect"], agents], [["Proxy"], clients]] : [[["Connect"], agents]];
  registry.gauge(metrics.grpcConnections, () => {
    const { proxyCalls, connectCalls } = gauges();
    return byMethod(connectCalls, proxyCalls);
  });
  registry.readCounter(metrics.linksOpened, () => gauges().linksOpened);
  registry.gauge(metrics.httpConnections, () => gauges().connectRequests);
  registry.gauge(
    metrics.readyBackendConnections,
    () => strategies.map((name) => gauges().readyBackends(name)).findLast((count) => count > 0) ?? 0,
  );
  registry.gauge(
    metrics.readyBackends,
    () => strategies.map((name) => [[name], gauges().readyBackends(name)] as const),
  );
  registry.gauge(metrics.pendingBackendDials, () => gauges().pendingDials);
  registry.gauge(metrics.establishedConnections, () => gauges().establishedTunnels);
  registry.gauge(metrics.fullReceiveChannels, () => {
    const { heldAgentStreams, heldClientStreams } = gauges();
    return byMethod(heldAgentStreams, heldClientStreams);
  });
  registry.readCounter(metrics.streamPackets, () => countedPackets(segments, gauges().packets));
  registry.readCounter(metrics.streamBytes, () => countedBytes(segments, gauges().packets));
  registry.gauge(metrics.backendTunnels, () => tunnelsByAgent(gauges(), options.perAgent ?? Infinity));
  registry.gauge(metrics.drainingBackends, () => new Set(agentIds(gauges(), true)).size);
  registry.gauge(metrics.queuedBytes, () => gauges().queuedBytes);

  registry.gauge(
    metrics.probeSuccess,
    () => Array.from(gauges().probeReports(), ({ destination, success }) => [[destination], success === true ? 1 : 0]),
  );
  const probeDuration = registry.labelledHistogram(metrics.probeDuration);
  const probeFailures = registry.counter(
    metrics.probeFailures,
    probeDestinations.flatMap((destination) => probeFailureReasons.map((reason) => [destination, reason])),
  );

  let auditLost = () => 0;
  registry.readCounter(metrics.auditLost, () => auditLost());

  const leaseDeletes = registry.counter(metrics.leaseDeletes);
  const leaseDeleteLatency = registry.labelledHistogram(metrics.leaseDeleteLatency);
  const leaseLists = registry.counter(metrics.leaseLists);
  const leaseListLatency = registry.labelledHistogram(metrics.leaseListLatency);
  const culledLeases = registry.counter(metrics.culledLeases);
  const tokenReviews = registry.counter(metrics.tokenReviews, Object.keys(tokenOutcomes).map((name) => [name]));
  const throttled = registry.counter(metrics.tokenReviewsThrottled, Object.keys(tokenThrottles).map((name) => [name]));

  return {
    ...addProcessMetrics(registry, "server", options.version, options.process),
    contentType: registry.contentType,
    auditLost: (read) => auditLost = read,
    text: () => registry.text(),
    events: {
      dialFailed: (reason) => dialFailures(reason),
      dialed: (seconds) => dialDuration.observe(seconds),
      tunnelClosed: (seconds, reason, initiator) => {
        connectionDuration.observe(seconds);
        closedTunnels(initiator, reason);
      },
      frontendWritten: (seconds) => frontendWriteDuration.observe(seconds),
      peerRefused: (role, reason) => refusedPeers(role, reason),
      streamFailed: (segment, code, packetType) => streamErrors(code, packetType, segment),
    },
    probeEvents: {
      probeSucceeded: (destination, seconds) => probeDuration(seconds, destination),
      probeFailed: (destination, reason) => probeFailures(destination, reason),
    },
    listenerEvents: {
      connectionClosed: (listener, reason) => closedConnections(listener, reason),
      callRefused: (listener, reason) => refusedCalls(listener, reason),
    },
    tokenEvents: {
      reviewed: (outcome) => tokenReviews(outcome),
      throttled: (reason) => throttled(reason),
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

/**
 * An agent can be connected more than once; its tunnels are shown together.
 * @returns nothing where there are more agents than `limit`: a part of them would show what is not so
 */
function tunnelsByAgent(gauges: ServerGauges, limit: number): (readonly [string[], number])[] {
  const sums = new Map<string, number>();
  for (const { agentId, tunnels } of gauges.backends()) {
    const id = agentId.slice(0, agentIdLimitChars);
    sums.set(id, (sums.get(id) ?? 0) + tunnels);
    if (sums.size > limit) return [];
  }
  return Array.from(sums, ([id, tunnels]) => [[id], tunnels]);
}
