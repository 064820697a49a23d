import type { ClientEvents, ClientGauges, ClientSegment } from "../client/client_events.ts";
import { type Metric, metricNamespace } from "./metric.ts";
import { MetricRegistry, type Series } from "./metric_registry.ts";
import { countedBytes, countedPackets, streamMetricDeclarations } from "./stream_metrics.ts";

const prefix = `${metricNamespace}_client`;

/** The client library's metrics. */
export const clientMetricDeclarations = {
  ...streamMetricDeclarations("client"),
  dialFailures: {
    name: `${prefix}_dial_failure_total`,
    type: "counter",
    help: "Number of dial failures observed, by reason (example: remote endpoint error)",
    labels: ["reason"],
    origin: "original",
  },
  // The doubled word is the original's.
  connections: {
    name: `${prefix}_client_connections`,
    type: "gauge",
    help: "Number of open client connections, by status (Example: dialing)",
    labels: ["status"],
    origin: "original",
  },
} as const satisfies Record<string, Metric>;

/** The client library's metrics: events go in, Prometheus' text comes out. */
export interface ClientMetrics {
  readonly events: ClientEvents;
  text(): Promise<string>;
  readonly contentType: string;
}

const segments: readonly ClientSegment[] = ["from_client", "to_client"];

/**
 * Makes the metrics of proxy clients, in the names of the original's client library. A dial is a connection with the
 * status `dialing`, an open tunnel one with `ok`; the original's other statuses have no duration that could be seen.
 * @param gauges gives the clients whose sums are shown; asked when metrics are scraped
 */
export function createClientMetrics(gauges: () => Iterable<ClientGauges>): ClientMetrics {
  const registry = new MetricRegistry();
  const dialFailures = registry.counter(clientMetricDeclarations.dialFailures);
  const streamErrors = registry.counter(clientMetricDeclarations.streamErrors);
  registry.readCounter(clientMetricDeclarations.streamPackets, () =>
    summed(function* () {
      for (const { packets } of gauges()) yield* countedPackets(segments, packets);
    }));
  registry.readCounter(clientMetricDeclarations.streamBytes, () =>
    summed(function* () {
      for (const { packets } of gauges()) yield* countedBytes(segments, packets);
    }));
  registry.gauge(clientMetricDeclarations.connections, () => {
    const clients = [...gauges()];
    const sum = (of: "dialing" | "open") => clients.reduce((total, client) => total + client[of], 0);
    return [[["dialing"], sum("dialing")], [["ok"], sum("open")]];
  });
  return {
    contentType: registry.contentType,
    text: () => registry.text(),
    events: {
      dialFailed: (reason) => dialFailures(reason),
      streamFailed: (segment, code, packetType) => streamErrors(code, packetType, segment),
    },
  };
}

/** One series for each combination of labels, with the sum of its values. */
function summed(series: () => Iterable<Series>): Iterable<Series> {
  const sums = new Map<string, Series>();
  for (const [labels, value] of series()) {
    const key = labels.join("\n");
    sums.set(key, [labels, value + (sums.get(key)?.[1] ?? 0)]);
  }
  return sums.values();
}
