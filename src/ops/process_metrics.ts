import process from "node:process";
import type { Histogram } from "./histogram.ts";
import { type Metric, metricNamespace } from "./metric.ts";
import type { MetricRegistry } from "./metric_registry.ts";

/** The programs that have metrics; a part of their metrics' names. */
export type Subsystem = "server" | "agent" | "client";

/** What every program tells of itself beside its traffic. */
export interface ProcessMetrics {
  /** Observes how late the event loop was, in seconds. */
  readonly eventLoopDelay: Histogram;
  /**
   * Shows when a certificate ends. One function a name; a later one takes an earlier one's place.
   * @param name what the certificate is for, such as `cluster`
   * @param expirySeconds gives the end in seconds since 1970, or undefined when there is no certificate; read at each scrape
   */
  certificateExpiry(name: string, expirySeconds: () => number | undefined): void;
}

/** Seconds that the event loop is late: below a millisecond nothing can be measured, above 5 s something is very wrong. */
const delayBuckets: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Declarations of a program's metrics about itself. The first three have the names of Prometheus' own libraries. */
export function processMetricDeclarations(subsystem: Subsystem) {
  const prefix = `${metricNamespace}_${subsystem}`;
  return {
    residentMemory: {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Resident memory size in bytes.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    cpu: {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "Total user and system CPU time spent in seconds.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    startTime: {
      name: "process_start_time_seconds",
      type: "gauge",
      help: "Start time of the process since unix epoch in seconds.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    memory: {
      name: `${prefix}_memory_bytes`,
      type: "gauge",
      help: "Memory of the JavaScript runtime in bytes, by kind: heap_used, heap_total, external.",
      labels: ["kind"],
      origin: "ours",
    },
    eventLoopDelay: {
      name: `${prefix}_event_loop_delay_seconds`,
      type: "histogram",
      help: "How late the event loop runs what is due, in seconds; sampled.",
      labels: [],
      buckets: delayBuckets,
      origin: "ours",
    },
    certificateExpiry: {
      name: `${prefix}_certificate_expiration_timestamp_seconds`,
      type: "gauge",
      help: "When the certificate in use ends, in seconds since unix epoch, by what it is for.",
      labels: ["certificate"],
      origin: "ours",
      ofWorkers: "min",
    },
    build: {
      name: `${prefix}_build_info`,
      type: "gauge",
      help: "Always 1; its labels are the versions of this program and its runtime.",
      labels: ["deno", "v8", "version"],
      origin: "ours",
      ofWorkers: "process",
    },
  } as const satisfies Record<string, Metric>;
}

/**
 * Adds what a process tells of itself. Only what the runtime gives without permissions: the number of open files and the
 * virtual memory, which Prometheus' libraries read from /proc, would be 0 under the sandbox and are left out.
 */
export function addProcessMetrics(registry: MetricRegistry, subsystem: Subsystem, version: string): ProcessMetrics {
  const metrics = processMetricDeclarations(subsystem);
  const certificates = new Map<string, () => number | undefined>();
  registry.gauge(metrics.residentMemory, () => Deno.memoryUsage().rss);
  registry.readCounter(metrics.cpu, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  registry.gauge(metrics.startTime, () => performance.timeOrigin / 1000);
  registry.gauge(metrics.memory, () => {
    const { heapUsed, heapTotal, external } = Deno.memoryUsage();
    return [[["heap_used"], heapUsed], [["heap_total"], heapTotal], [["external"], external]];
  });
  registry.gauge(metrics.certificateExpiry, function* () {
    for (const [name, expirySeconds] of certificates) {
      const seconds = expirySeconds();
      if (seconds !== undefined && Number.isFinite(seconds)) yield [[name], seconds] as const;
    }
  });
  const { deno, v8 } = Deno.version;
  registry.gauge(metrics.build, () => [[[deno, v8, version], 1]]);
  return {
    eventLoopDelay: registry.histogram(metrics.eventLoopDelay),
    certificateExpiry: (name, expirySeconds) => certificates.set(name, expirySeconds),
  };
}
