import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import type { Cluster } from "./cluster.ts";

/** An admission webhook on 127.0.0.1. */
export interface Webhook extends AsyncDisposable {
  /** Requests that it has answered. */
  readonly calls: number;
}

/** Starts a webhook that allows every ConfigMap but those labelled `forbidden`, and registers it by URL. */
export async function startWebhook(cluster: Cluster): Promise<Webhook> {
  const own = await issueLeaf(cluster.ca, {
    commonName: "webhook",
    usages: ["server"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
  let calls = 0;
  const server = createServer({ cert: own.certPem, key: own.keyPem }, (request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => text += chunk);
    request.on("end", () => {
      calls++;
      const { request: asked } = JSON.parse(text);
      const allowed = asked.object.metadata.labels?.forbidden === undefined;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: { uid: asked.uid, allowed, status: { message: "the webhook says no" } },
      }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  // A TCP server that listens has this form of address.
  const { port } = server.address() as AddressInfo;
  await cluster.apply({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "tunnelled" },
    webhooks: [{
      name: "tunnelled.example.com",
      clientConfig: { url: `https://127.0.0.1:${port}/validate`, caBundle: btoa(cluster.ca.certPem) },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      timeoutSeconds: 10,
      failurePolicy: "Fail",
    }],
  });
  return {
    get calls() {
      return calls;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
