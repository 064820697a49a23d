import { join } from "node:path";

/** One kind of frontend, which gets a proxy-server and a proxy-agent of its own. */
export interface Frontend {
  /** As the table shows it. */
  readonly title: string;
  /** As file names show it. */
  readonly key: string;
  readonly mode: "grpc" | "http-connect";
  readonly transport: "tcp" | "unix";
}

/** Every kind of frontend that proxy-server has. */
export const frontends: readonly Frontend[] = [
  { title: "gRPC, mutual TLS", key: "grpc-mtls", mode: "grpc", transport: "tcp" },
  { title: "gRPC, Unix socket", key: "grpc-uds", mode: "grpc", transport: "unix" },
  { title: "HTTP CONNECT, mutual TLS", key: "connect-mtls", mode: "http-connect", transport: "tcp" },
  { title: "HTTP CONNECT, Unix socket", key: "connect-uds", mode: "http-connect", transport: "unix" },
];

/** The address that everything in the demo listens on. */
export const loopback = "127.0.0.1";

/** What one frontend's programs listen on. */
export interface FrontendPlaces {
  /** Where clients connect: a port, or a socket's path. */
  readonly clients: number | string;
  readonly agents: number;
  readonly serverHealth: number;
  readonly serverAdmin: number;
}

/** The flags of a frontend's proxy-server. */
export function serverFlags(frontend: Frontend, places: FrontendPlaces, certs: string): string[] {
  const listen = typeof places.clients === "string" ? ["--server-port=0", `--uds-name=${places.clients}`] : [
    `--server-port=${places.clients}`,
    `--server-bind-address=${loopback}`,
    `--server-ca-cert=${join(certs, "frontend/issued/ca.crt")}`,
    `--server-cert=${join(certs, "frontend/issued/proxy-frontend.crt")}`,
    `--server-key=${join(certs, "frontend/private/proxy-frontend.key")}`,
  ];
  return [
    `--mode=${frontend.mode}`,
    ...listen,
    `--agent-port=${places.agents}`,
    `--agent-bind-address=${loopback}`,
    `--cluster-ca-cert=${join(certs, "agent/issued/ca.crt")}`,
    `--cluster-cert=${join(certs, "agent/issued/proxy-frontend.crt")}`,
    `--cluster-key=${join(certs, "agent/private/proxy-frontend.key")}`,
    `--health-port=${places.serverHealth}`,
    `--health-bind-address=${loopback}`,
    `--admin-port=${places.serverAdmin}`,
  ];
}

/** The flags of a frontend's proxy-agent, which may dial nobody but its server and the destination. */
export function agentFlags(
  places: Pick<FrontendPlaces, "agents">,
  own: { readonly health: number; readonly admin: number },
  destinationPort: number,
  certs: string,
): string[] {
  return [
    `--proxy-server-host=${loopback}`,
    `--proxy-server-port=${places.agents}`,
    `--ca-cert=${join(certs, "agent/issued/ca.crt")}`,
    `--agent-cert=${join(certs, "agent/issued/proxy-agent.crt")}`,
    `--agent-key=${join(certs, "agent/private/proxy-agent.key")}`,
    `--health-server-port=${own.health}`,
    `--health-server-host=${loopback}`,
    `--admin-server-port=${own.admin}`,
    `--destinations=${loopback}:${destinationPort}`,
  ];
}

/** The flags of proxy-test-client for one request through a frontend. */
export function clientFlags(
  frontend: Frontend,
  places: Pick<FrontendPlaces, "clients">,
  destinationPort: number,
  certs: string,
): string[] {
  const proxy = typeof places.clients === "string"
    ? ["--proxy-host=", "--proxy-port=0", `--proxy-uds=${places.clients}`]
    : [
      `--proxy-host=${loopback}`,
      `--proxy-port=${places.clients}`,
      `--ca-cert=${join(certs, "frontend/issued/ca.crt")}`,
      `--client-cert=${join(certs, "frontend/issued/proxy-client.crt")}`,
      `--client-key=${join(certs, "frontend/private/proxy-client.key")}`,
    ];
  return [
    `--mode=${frontend.mode}`,
    ...proxy,
    `--request-host=${loopback}`,
    `--request-port=${destinationPort}`,
    "--request-path=success",
  ];
}

/** The words of a curl command that goes through an HTTP CONNECT frontend on TCP. */
export function curlCommand(proxyPort: number, destinationPort: number, certs: string): string[] {
  return [
    "curl",
    "-v",
    "-p",
    "--proxy-key",
    join(certs, "frontend/private/proxy-client.key"),
    "--proxy-cert",
    join(certs, "frontend/issued/proxy-client.crt"),
    "--proxy-cacert",
    join(certs, "frontend/issued/ca.crt"),
    "--proxy-cert-type",
    "PEM",
    "-x",
    `https://${loopback}:${proxyPort}`,
    `http://${loopback}:${destinationPort}/success`,
  ];
}
