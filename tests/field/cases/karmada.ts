import { controlPlaneIp, type FieldCase, nodeIp, root } from "../field_case.ts";

const files = "/var/certs/server";

/** Karmada's documentation, for clusters that are joined in pull mode. */
export const karmada: readonly FieldCase[] = [
  {
    rows: ["S13", "A9"],
    distribution: "Karmada",
    source: "karmada-io/website, working with ANP",
    mode: "http-connect",
    frontend: { port: 8090 },
    agents: "certificate",
    api: "none",
    server: {
      command: [
        "/proxy-server",
        "--health-port=8092",
        `--cluster-ca-cert=${files}/cluster-ca-cert.crt`,
        `--cluster-cert=${files}/cluster-cert.crt`,
        `--cluster-key=${files}/cluster-key.key`,
        "--mode=http-connect",
        "--proxy-strategies=destHost",
        `--server-ca-cert=${files}/server-ca-cert.crt`,
        `--server-cert=${files}/server-cert.crt`,
        `--server-key=${files}/server-key.key`,
      ],
      user: root,
      files: {
        [`${files}/cluster-ca-cert.crt`]: "ca",
        [`${files}/cluster-cert.crt`]: "server-cert",
        [`${files}/cluster-key.key`]: "server-key",
        [`${files}/server-ca-cert.crt`]: "ca",
        [`${files}/server-cert.crt`]: "server-cert",
        [`${files}/server-key.key`]: "server-key",
      },
      liveness: { path: "/healthz", port: 8092, initialDelaySeconds: 10, timeoutSeconds: 60 },
      healthPort: 8092,
    },
    agent: {
      command: [
        "/proxy-agent",
        "--ca-cert=/var/certs/agent/ca.crt",
        "--agent-cert=/var/certs/agent/proxy-agent.crt",
        "--agent-key=/var/certs/agent/proxy-agent.key",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8091",
        `--agent-identifiers=host=${nodeIp}`,
      ],
      files: {
        "/var/certs/agent/ca.crt": "ca",
        "/var/certs/agent/proxy-agent.crt": "agent-cert",
        "/var/certs/agent/proxy-agent.key": "agent-key",
      },
      liveness: { path: "/healthz", port: 8093, initialDelaySeconds: 15, timeoutSeconds: 60 },
      healthPort: 8093,
    },
    notes: "`destHost` alone, by the member cluster's address as a `host`; its fork's plain HTTP port on 8088 is not " +
      "the original's, and not ours",
  },
];
