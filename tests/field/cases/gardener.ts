import { controlPlaneIp, type FieldCase, root } from "../field_case.ts";

const certificates = "/certs/konnectivity-server";

/** Gardener, as long as it had Konnectivity. */
export const gardener: readonly FieldCase[] = [
  {
    rows: ["S14", "A10"],
    distribution: "Gardener",
    source: "gardener/gardener pkg/operation/botanist/component/konnectivity, charts/shoot-core konnectivity-agent",
    mode: "http-connect",
    frontend: { port: 9443 },
    agents: "token",
    api: "tokens",
    server: {
      // A program of its own starts this one, with the number of replicas as one more argument.
      command: [
        "/proxy-server",
        "--logtostderr=true",
        `--cluster-cert=${certificates}/konnectivity-server.crt`,
        `--cluster-key=${certificates}/konnectivity-server.key`,
        `--server-cert=${certificates}/konnectivity-server.crt`,
        `--server-key=${certificates}/konnectivity-server.key`,
        "--server-ca-cert=/certs/client-ca/ca.crt",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--kubeconfig=/auth/kubeconfig",
        "--authentication-audience=system:konnectivity-server",
        "--keepalive-time=1m",
        "--log-file-max-size=0",
        "--delete-existing-uds-file=true",
        "--mode=http-connect",
        "--server-port=9443",
        "--agent-port=8132",
        "--admin-port=8133",
        "--health-port=8134",
        "--v=2",
        "--server-count",
        "1",
      ],
      files: {
        [`${certificates}/konnectivity-server.crt`]: "server-cert",
        [`${certificates}/konnectivity-server.key`]: "server-key",
        "/certs/client-ca/ca.crt": "ca",
        "/auth/kubeconfig": "kubeconfig",
      },
      liveness: { path: "/healthz", port: 8134 },
      memoryLimitMi: 400,
      healthPort: 8134,
    },
    agent: {
      command: [
        "/proxy-agent",
        "--log-file=/var/log/konnectivity-agent/info.log",
        "--logtostderr=false",
        "--log-file-max-size=12",
        "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8132",
        "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      ],
      user: root,
      files: {
        "/var/log/konnectivity-agent": "folder",
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
        "/var/run/secrets/tokens/konnectivity-agent-token": "token",
      },
      liveness: { path: "/healthz", port: 8093, host: "127.0.0.1", initialDelaySeconds: 15, timeoutSeconds: 15 },
      memoryLimitMi: 1000,
      healthPort: 8093,
    },
    notes:
      "mutual TLS for clients and tokens for agents at once; limits of 400Mi and 300m; the agent's log is a file " +
      "of 12 MiB in a folder that it makes it in",
  },
];
