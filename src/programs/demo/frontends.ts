import { join } from "node:path";

/** The address that everything in the demo listens on. */
export const loopback = "127.0.0.1";

/** One kind of frontend, which gets a proxy-server and a proxy-agent of its own. */
export interface Frontend {
  /** As the table shows it. */
  readonly title: string;
  readonly mode: "grpc" | "http-connect";
  /** Where clients connect: a port, or a socket's path. */
  readonly clients: number | string;
  readonly agents: number;
  readonly health: number;
  readonly admin: number;
  readonly agentHealth: number;
  readonly agentAdmin: number;
}

/** Every kind of frontend that proxy-server has. @param folder for sockets */
export function allFrontends(folder: string, freePort: () => number): Frontend[] {
  const kinds = [
    ["gRPC, mutual TLS", "grpc", ""],
    ["gRPC, Unix socket", "grpc", join(folder, "grpc.sock")],
    ["HTTP CONNECT, mutual TLS", "http-connect", ""],
    ["HTTP CONNECT, Unix socket", "http-connect", join(folder, "connect.sock")],
  ] as const;
  return kinds.map(([title, mode, socket]) => ({
    title,
    mode,
    clients: socket || freePort(),
    agents: freePort(),
    health: freePort(),
    admin: freePort(),
    agentHealth: freePort(),
    agentAdmin: freePort(),
  }));
}

/** Flags for a certificate of a tree of `makeCertificateTree`, and for whom to trust. */
function tlsFlags(certs: string, tree: "frontend" | "agent", name: string, prefix: string, caFlag: string): string[] {
  return [
    `--${caFlag}=${join(certs, tree, "issued/ca.crt")}`,
    `--${prefix}-cert=${join(certs, tree, `issued/${name}.crt`)}`,
    `--${prefix}-key=${join(certs, tree, `private/${name}.key`)}`,
  ];
}

/** The flags of a frontend's proxy-server. */
export function serverFlags({ mode, clients, agents, health, admin }: Frontend, certs: string): string[] {
  return [
    `--mode=${mode}`,
    ...(typeof clients === "string" ? ["--server-port=0", `--uds-name=${clients}`] : [
      `--server-port=${clients}`,
      `--server-bind-address=${loopback}`,
      ...tlsFlags(certs, "frontend", "proxy-frontend", "server", "server-ca-cert"),
    ]),
    `--agent-port=${agents}`,
    `--agent-bind-address=${loopback}`,
    ...tlsFlags(certs, "agent", "proxy-frontend", "cluster", "cluster-ca-cert"),
    `--health-port=${health}`,
    `--health-bind-address=${loopback}`,
    `--admin-port=${admin}`,
  ];
}

/** The flags of a frontend's proxy-agent, which may dial nobody but its server and the destination. */
export function agentFlags(
  { agents, agentHealth, agentAdmin }: Frontend,
  destination: number,
  certs: string,
): string[] {
  return [
    `--proxy-server-host=${loopback}`,
    `--proxy-server-port=${agents}`,
    ...tlsFlags(certs, "agent", "proxy-agent", "agent", "ca-cert"),
    `--health-server-port=${agentHealth}`,
    `--health-server-host=${loopback}`,
    `--admin-server-port=${agentAdmin}`,
    `--destinations=${loopback}:${destination}`,
  ];
}

/** The flags of proxy-test-client for one request through a frontend. */
export function clientFlags({ mode, clients }: Frontend, destination: number, certs: string): string[] {
  return [
    `--mode=${mode}`,
    ...(typeof clients === "string" ? ["--proxy-host=", "--proxy-port=0", `--proxy-uds=${clients}`] : [
      `--proxy-host=${loopback}`,
      `--proxy-port=${clients}`,
      ...tlsFlags(certs, "frontend", "proxy-client", "client", "ca-cert"),
    ]),
    `--request-host=${loopback}`,
    `--request-port=${destination}`,
    "--request-path=success",
  ];
}

/** Commands that a reader may paste while the frontend runs. @param client how proxy-test-client is called */
export function commandsToTry(
  frontend: Frontend,
  destination: number,
  certs: string,
  client: readonly string[],
): string[] {
  const commands = [
    [...client, ...clientFlags(frontend, destination, certs)],
    ["curl", `http://${loopback}:${frontend.health}/readyz`],
    ["curl", `http://${loopback}:${frontend.admin}/metrics`],
  ];
  if (frontend.mode === "http-connect" && typeof frontend.clients === "number") {
    const [ca = "", cert = "", key = ""] = tlsFlags(certs, "frontend", "proxy-client", "proxy", "proxy-cacert");
    const proxy = ["-p", ...[ca, cert, key].flatMap((flag) => flag.split(/=(.*)/s, 2)), "--proxy-cert-type", "PEM"];
    const to = `http://${loopback}:${destination}/success`;
    commands.push(["curl", "-v", ...proxy, "-x", `https://${loopback}:${frontend.clients}`, to]);
  }
  return commands.map((words) => words.map(shellWord).join(" "));
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
