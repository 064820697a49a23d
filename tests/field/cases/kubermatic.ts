import { controlPlaneIp, type FieldCase, type FieldMetric, type FieldProbe } from "../field_case.ts";

const probe: FieldProbe = { path: "/healthz", port: 8134, initialDelaySeconds: 15, timeoutSeconds: 15 };

/** Of the recording rules and alerts that Kubermatic installs in each control plane. */
const ruled: readonly FieldMetric[] = [
  { of: "server", name: "konnectivity_network_proxy_server_ready_backend_connections", type: "gauge" },
  {
    of: "server",
    name: "konnectivity_network_proxy_server_dial_failure_count",
    type: "counter",
    label: ["reason", "error_response"],
  },
  { of: "server", name: "konnectivity_network_proxy_server_full_receive_channels", type: "gauge", onlyOnUse: true },
];

/** Kubermatic Kubernetes Platform. */
export const kubermatic: readonly FieldCase[] = [
  {
    rows: ["S5", "A4"],
    distribution: "Kubermatic",
    source: "kubermatic/kubermatic pkg/resources/konnectivity, user-cluster-controller-manager",
    mode: "grpc",
    frontend: { uds: "/etc/kubernetes/konnectivity-server/konnectivity-server.socket" },
    agents: "token",
    api: "tokens",
    server: {
      command: [
        "/proxy-server",
        "--logtostderr=true",
        "-v=3",
        "--cluster-key=/etc/kubernetes/pki/konnectivity-proxy-tls.key",
        "--cluster-cert=/etc/kubernetes/pki/konnectivity-proxy-tls.crt",
        "--uds-name=/etc/kubernetes/konnectivity-server/konnectivity-server.socket",
        "--kubeconfig=/etc/kubernetes/kubeconfig/kubeconfig",
        "--server-count=1",
        "--mode=grpc",
        "--server-port=0",
        "--agent-port=8132",
        "--admin-port=8133",
        "--health-port=8134",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--delete-existing-uds-file=true",
        "--authentication-audience=system:konnectivity-server",
        "--proxy-strategies=default",
        "--keepalive-time=1m",
        "--xfr-channel-size=10",
        // A user's own arguments stand behind these, and count.
        "--keepalive-time=30s",
        "--xfr-channel-size=50",
        "-v=5",
      ],
      files: {
        "/etc/kubernetes/konnectivity-server": "folder",
        "/etc/kubernetes/pki/konnectivity-proxy-tls.crt": "server-cert",
        "/etc/kubernetes/pki/konnectivity-proxy-tls.key": "server-key",
        "/etc/kubernetes/kubeconfig/kubeconfig": "kubeconfig",
      },
      liveness: probe,
      memoryLimitMi: 200,
      healthPort: 8134,
    },
    agent: {
      command: [
        "/proxy-agent",
        "--logtostderr=true",
        "-v=3",
        "--sync-forever=true",
        "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8132",
        "--admin-server-port=8133",
        "--health-server-port=8134",
        "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
        "--keepalive-time=1m",
        "--xfr-channel-size=150",
      ],
      files: {
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
        "/var/run/secrets/tokens/konnectivity-agent-token": "token",
      },
      liveness: probe,
      memoryLimitMi: 100,
      healthPort: 8134,
    },
    metrics: ruled,
    notes: "flags given twice; limits of 200Mi for the server and 100Mi for agents; its rules read " +
      "`ready_backend_connections`, `dial_failure_count` by reason, `full_receive_channels`",
  },
];
