/** Enough of the Prometheus operator's type for a ServiceMonitor to be checked and kept. */
export const serviceMonitors = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "servicemonitors.monitoring.coreos.com" },
  spec: {
    group: "monitoring.coreos.com",
    scope: "Namespaced",
    names: { plural: "servicemonitors", singular: "servicemonitor", kind: "ServiceMonitor" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              type: "object",
              required: ["selector", "endpoints"],
              properties: {
                selector: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                endpoints: {
                  type: "array",
                  items: {
                    type: "object",
                    properties: { port: { type: "string" }, path: { type: "string" }, interval: { type: "string" } },
                  },
                },
              },
            },
          },
        },
      },
    }],
  },
};
