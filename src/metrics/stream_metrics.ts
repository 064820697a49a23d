import { packetTypeName } from "../wire/packet.ts";
import type { PacketCounts } from "../wire/packet_counts.ts";
import { type Metric, metricNamespace } from "./metric.ts";
import type { Series } from "./metric_registry.ts";
import type { Subsystem } from "./process_metrics.ts";

/** Declarations of the metrics that the original's server, agent and client have in common. */
export function streamMetricDeclarations(subsystem: Subsystem) {
  const prefix = `${metricNamespace}_${subsystem}`;
  return {
    streamPackets: {
      name: `${prefix}_stream_packets_total`,
      type: "counter",
      help: "Count of packets processed, by segment and packet type (example: from_client, DIAL_REQ)",
      labels: ["packet_type", "segment"],
      origin: "original",
    },
    streamErrors: {
      name: `${prefix}_stream_errors_total`,
      type: "counter",
      help:
        "Count of gRPC stream errors, by segment, grpc Code, packet type. (example: from_agent, Code.Unavailable, DIAL_RSP)",
      labels: ["code", "packet_type", "segment"],
      origin: "original",
    },
    streamBytes: {
      name: `${prefix}_stream_data_bytes_total`,
      type: "counter",
      help: "Payload bytes of DATA packets processed, by segment (example: from_client)",
      labels: ["segment"],
      origin: "ours",
    },
  } as const satisfies Record<string, Metric>;
}

/** Packets by type and segment; types that no protocol knows are one series, so that a peer cannot make many. */
export function* countedPackets<Segment extends string>(
  segments: readonly Segment[],
  packets: Readonly<Record<Segment, PacketCounts>>,
): Generator<Series> {
  for (const segment of segments) {
    for (const { type, count } of packets[segment].entries()) yield [[packetTypeName(type), segment], count];
  }
}

/** Payload bytes by segment. */
export function* countedBytes<Segment extends string>(
  segments: readonly Segment[],
  packets: Readonly<Record<Segment, PacketCounts>>,
): Generator<Series> {
  for (const segment of segments) yield [[segment], packets[segment].dataBytes];
}
