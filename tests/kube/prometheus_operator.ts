import type { Cluster } from "./cluster.ts";

const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };

function list(properties: Readonly<Record<string, unknown>>, ...required: readonly string[]): unknown {
  return { type: "array", items: { type: "object", properties, ...(required.length === 0 ? {} : { required }) } };
}

function definition(kind: string, plural: string, spec: Readonly<Record<string, unknown>>) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: "monitoring.coreos.com",
      scope: "Namespaced",
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", ...spec } } } },
      }],
    },
  };
}

/** Enough of the Prometheus operator's types for a ServiceMonitor and a PrometheusRule to be checked and kept. */
const definitions = [
  definition("ServiceMonitor", "servicemonitors", {
    required: ["selector", "endpoints"],
    properties: {
      selector: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      endpoints: list({ port: text, path: text, interval: text }),
    },
  }),
  definition("PrometheusRule", "prometheusrules", {
    required: ["groups"],
    properties: {
      groups: list(
        {
          name: text,
          rules: list({ alert: text, expr: text, for: text, labels: texts, annotations: texts }, "alert", "expr"),
        },
        "name",
        "rules",
      ),
    },
  }),
];

/** Has a cluster know the Prometheus operator's types. */
export async function definePrometheusTypes(cluster: Cluster): Promise<void> {
  await cluster.apply(...definitions);
  for (const { metadata } of definitions) {
    await cluster.kubectlText("wait", "--for=condition=Established", `crd/${metadata.name}`);
  }
}
