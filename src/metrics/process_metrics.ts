import { cpuUsage } from "node:process";
import type { Histogram } from "./histogram.ts";
import { faultCounts } from "../faults/fault.ts";
import { type Metric, metricNamespace } from "./metric.ts";
import type { MetricRegistry } from "./metric_registry.ts";

/** The programs that have metrics; a part of their metrics' names. */
export type Subsystem = "server" | "agent" | "client";

/** What is known of the process and not of a thread of it. */
export interface ProcessGauges {
  /** Its file descriptors, as it counts them itself. */
  readonly descriptors: {
    readonly open: number;
    /** Undefined where it is not known. */
    readonly limit: number | undefined;
  };
  /** Bytes of memory that the process may have; undefined where there is no limit, or it is not known. */
  readonly memoryLimit: number | undefined;
  /** Its address space in bytes; undefined where it is not known. */
  readonly virtualMemory: () => { readonly size: number; readonly limit: number } | undefined;
}

/** Connections and dials that can be refused, by what they are for and why: each is there with 0 from the start. */
const refusals: Readonly<Record<"server" | "agent", readonly (readonly [listener: string, reason: string])[]>> = {
  server: [
    ["client", "descriptors"],
    ["client", "strangers"],
    ["agent", "descriptors"],
    ["agent", "strangers"],
    ["health", "pages"],
    ["admin", "pages"],
  ],
  agent: [["dial", "descriptors"], ["health", "pages"], ["admin", "pages"]],
};

/** What every program reports of itself beside its traffic. */
export interface ProcessMetrics {
  /** Observes how late the event loop was, in seconds. */
  readonly eventLoopDelay: Histogram;
  /** Counts a connection or dial that was refused. */
  connectionRefused(listener: string, reason: string): void;
  /**
   * Shows when a certificate ends. One function a name; a later one takes an earlier one's place.
   * @param name what the certificate is for, such as `cluster`
   * @param expirySeconds gives the end in seconds since 1970, or undefined when there is no certificate; read at each scrape
   */
  certificateExpiry(name: string, expirySeconds: () => number | undefined): void;
}

/** Seconds that the event loop is late: below a millisecond nothing can be measured, above 5 s something is very wrong. */
const delayBuckets: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Declarations of a program's metrics about itself. Those that begin with `process_` have the names of Prometheus' own libraries. */
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
    virtualMemory: {
      name: "process_virtual_memory_bytes",
      type: "gauge",
      help: "Virtual memory size in bytes.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    maxVirtualMemory: {
      name: "process_virtual_memory_max_bytes",
      type: "gauge",
      help: "Maximum amount of virtual memory available in bytes.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    openDescriptors: {
      name: "process_open_fds",
      type: "gauge",
      help: "Number of open file descriptors.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    maxDescriptors: {
      name: "process_max_fds",
      type: "gauge",
      help: "Maximum number of open file descriptors.",
      labels: [],
      origin: "original",
      ofWorkers: "process",
    },
    refusedConnections: {
      name: `${prefix}_refused_connections_total`,
      type: "counter",
      help: "Count of connections and dials refused for want of file descriptors or for their share of them, by kind.",
      labels: ["listener", "reason"],
      origin: "ours",
    },
    memory: {
      name: `${prefix}_memory_bytes`,
      type: "gauge",
      help: "Memory of the JavaScript runtime in bytes, by kind: heap_used, heap_total, external.",
      labels: ["kind"],
      origin: "ours",
    },
    memoryLimit: {
      name: `${prefix}_memory_limit_bytes`,
      type: "gauge",
      help:
        "Memory that the process may have in bytes, as its launcher found it in its control groups; absent: no limit.",
      labels: [],
      origin: "ours",
      ofWorkers: "process",
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
    internalErrors: {
      name: `${prefix}_internal_errors_total`,
      type: "counter",
      help: "Count of exceptions of this program that nobody expected, by what they ended.",
      labels: ["where"],
      origin: "ours",
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
 * Adds what a process shows of itself. Only what can be known without permissions; what is not known has no series.
 * @param process absent in workers, whose command shows it
 */
export function addProcessMetrics(
  registry: MetricRegistry,
  subsystem: "server" | "agent",
  version: string,
  process?: ProcessGauges,
): ProcessMetrics {
  const metrics = processMetricDeclarations(subsystem);
  const certificates = new Map<string, () => number | undefined>();
  registry.gauge(metrics.residentMemory, () => Deno.memoryUsage().rss);
  registry.readCounter(metrics.cpu, () => {
    const { user, system } = cpuUsage();
    return (user + system) / 1e6;
  });
  registry.gauge(metrics.openDescriptors, () => process?.descriptors.open ?? []);
  registry.gauge(metrics.maxDescriptors, () => process?.descriptors.limit ?? []);
  registry.gauge(metrics.virtualMemory, () => process?.virtualMemory()?.size ?? []);
  registry.gauge(metrics.maxVirtualMemory, () => process?.virtualMemory()?.limit ?? []);
  registry.gauge(metrics.memoryLimit, () => process?.memoryLimit ?? []);
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
  registry.readCounter(metrics.internalErrors, () => Array.from(faultCounts(), ([place, count]) => [[place], count]));
  const { deno, v8 } = Deno.version;
  registry.gauge(metrics.build, () => [[[deno, v8, version], 1]]);
  const refused = registry.counter(metrics.refusedConnections, refusals[subsystem]);
  return {
    connectionRefused: (listener, reason) => refused(listener, reason),
    eventLoopDelay: registry.histogram(metrics.eventLoopDelay),
    certificateExpiry: (name, expirySeconds) => certificates.set(name, expirySeconds),
  };
}
