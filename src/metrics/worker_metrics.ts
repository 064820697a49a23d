import { watchEventLoop } from "./event_loop.ts";
import { mergeMetrics, metricValue } from "./merged_metrics.ts";
import { type Metric, metricNamespace } from "./metric.ts";
import { MetricRegistry } from "./metric_registry.ts";
import {
  addProcessMetrics,
  type ProcessGauges,
  processMetricDeclarations,
  type ProcessMetrics,
} from "./process_metrics.ts";
import { serverMetricDeclarations } from "./server_metric_declarations.ts";

/** What a server with several workers shows beside what they show together. */
export const workerMetricDeclarations = {
  workerTunnels: {
    name: `${metricNamespace}_server_worker_tunnels`,
    type: "gauge",
    help: "Number of established tunnels of each worker; only with --workers above 1.",
    labels: ["worker"],
    origin: "ours",
  },
} as const satisfies Record<string, Metric>;

const declarations: readonly Metric[] = [
  ...Object.values(serverMetricDeclarations),
  ...Object.values(processMetricDeclarations("server")),
];

/** What the command knows of itself. */
export interface WorkerMetricsOptions {
  /** Lines of the audit log, which is written here, that were lost. */
  readonly auditLost?: () => number;
  readonly process?: ProcessGauges;
}

/** The metrics of a server's workers as one text, with those of the process that they share. */
export class WorkerMetrics implements Disposable {
  readonly #registry = new MetricRegistry();
  readonly #workers: () => readonly Promise<string>[];
  readonly #watch: Disposable;
  #texts: readonly string[] = [];
  readonly contentType: string = this.#registry.contentType;
  /** Counts a refused connection of the command's own ports. */
  readonly connectionRefused: ProcessMetrics["connectionRefused"];

  /** @param workers asks each worker for its text, in order */
  constructor(
    workers: () => readonly Promise<string>[],
    version: string,
    { auditLost = () => 0, process }: WorkerMetricsOptions = {},
  ) {
    this.#workers = workers;
    const { eventLoopDelay, connectionRefused } = addProcessMetrics(this.#registry, "server", version, process);
    this.connectionRefused = connectionRefused;
    this.#watch = watchEventLoop((seconds) => eventLoopDelay.observe(seconds));
    this.#registry.readCounter(serverMetricDeclarations.auditLost, auditLost);
    this.#registry.gauge(workerMetricDeclarations.workerTunnels, () => this.#tunnels());
  }

  /** @throws what a worker that does not answer is answered for */
  async text(): Promise<string> {
    this.#texts = await Promise.all(this.#workers());
    return mergeMetrics(await this.#registry.text(), this.#texts, declarations);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  #tunnels(): (readonly [readonly string[], number])[] {
    const { name } = serverMetricDeclarations.establishedConnections;
    return this.#texts.map((text, worker) => [[String(worker)], metricValue(text, name)]);
  }
}
