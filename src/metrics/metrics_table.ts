import { agentMetricDeclarations } from "./agent_metric_declarations.ts";
import { clientMetricDeclarations } from "./client_metrics.ts";
import type { Metric } from "./metric.ts";
import { processMetricDeclarations, type Subsystem } from "./process_metrics.ts";
import { serverMetricDeclarations } from "./server_metric_declarations.ts";
import { workerMetricDeclarations } from "./worker_metrics.ts";

/** A metric and the program that has it. */
export interface MetricRow extends Metric {
  readonly program: Subsystem;
}

/** Every metric of every program, for documentation and its check. The client library has none about its process. */
export function metricsTable(): MetricRow[] {
  const rows = (program: Subsystem, ...declarations: Readonly<Record<string, Metric>>[]) =>
    declarations.flatMap((metrics) => Object.values(metrics).map((metric): MetricRow => ({ program, ...metric })));
  return [
    ...rows("server", serverMetricDeclarations, processMetricDeclarations("server"), workerMetricDeclarations),
    ...rows("agent", agentMetricDeclarations, processMetricDeclarations("agent")),
    ...rows("client", clientMetricDeclarations),
  ];
}
