import { controlPlaneIp, type FieldCase, type FieldProbe } from "../field_case.ts";

const probe: FieldProbe = { path: "/healthz", port: 8134, initialDelaySeconds: 30, timeoutSeconds: 60 };
const agentProbe: FieldProbe = { ...probe, initialDelaySeconds: 15, timeoutSeconds: 15 };

function caseOf(
  about: Pick<FieldCase, "rows" | "distribution" | "source" | "notes">,
  more: readonly string[],
): FieldCase {
  return {
    ...about,
    mode: "grpc",
    frontend: { uds: "/run/konnectivity/konnectivity-server.socket" },
    agents: "token",
    api: "tokens",
    server: {
      // As the map that holds them yields them: in the order of their names.
      command: [
        "/proxy-server",
        "--admin-port=8133",
        "--agent-namespace=kube-system",
        "--agent-port=8132",
        "--agent-service-account=konnectivity-agent",
        "--authentication-audience=system:konnectivity-server",
        "--cluster-cert=/etc/kubernetes/pki/apiserver.crt",
        "--cluster-key=/etc/kubernetes/pki/apiserver.key",
        "--health-port=8134",
        "--kubeconfig=/etc/kubernetes/konnectivity-server.conf",
        "--mode=grpc",
        "--server-count=1",
        "--server-port=0",
        "--uds-name=/run/konnectivity/konnectivity-server.socket",
        ...more,
      ],
      files: {
        "/etc/kubernetes/pki/apiserver.crt": "server-cert",
        "/etc/kubernetes/pki/apiserver.key": "server-key",
        "/etc/kubernetes/konnectivity-server.conf": "kubeconfig",
        "/run/konnectivity": "folder",
      },
      liveness: probe,
      healthPort: 8134,
    },
    agent: {
      command: [
        "/proxy-agent",
        "--admin-server-port=8133",
        "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        "--health-server-port=8134",
        "--logtostderr=true",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8132",
        "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
        "-v=8",
      ],
      files: {
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
        "/var/run/secrets/tokens/konnectivity-agent-token": "token",
      },
      liveness: agentProbe,
      healthPort: 8134,
    },
  };
}

/** Kamaji, as its operator and its documents have it. */
export const kamaji: readonly FieldCase[] = [
  caseOf({
    rows: ["S6", "A5"],
    distribution: "Kamaji",
    source: "clastix/kamaji internal/builders/controlplane, internal/resources/konnectivity",
    notes:
      "arguments in the order of their names; the agent is a DaemonSet or a Deployment, also on the host's network",
  }, []),
  caseOf({
    rows: ["S7"],
    distribution: "Kamaji by hand",
    source: "clastix/kamaji, documentation",
    notes: "the server at `-v=8`, with words of its own for the log",
  }, ["--logtostderr=true", "-v=8"]),
];
