/** What listens where. */
export const ports = {
  grpcClients: 8090,
  agents: 8091,
  connectClients: 8132,
  kubernetes: 6443,
} as const;

/** Hosts that there are one of. */
export const hosts = {
  /** Where the clients run. */
  clients: "clients",
  /** Where the destinations are. */
  cluster: "cluster",
  /** Takes connections and never says anything. */
  silent: "silent",
  kubernetes: "kubernetes",
} as const;

/** The name by which agents know the servers. */
export const serversName = "servers";
