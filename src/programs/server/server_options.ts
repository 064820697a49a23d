import type { LoggingSettings } from "../../logging/logging_settings.ts";

/**
 * The configuration of proxy-server, one field a flag, named after it. Durations are milliseconds, never more than a timer of
 * the runtime can hold (24.8 days). Empty strings mean "not set". Only values that passed validation are sound.
 */
export interface ServerOptions {
  readonly serverCert: string;
  readonly serverKey: string;
  readonly serverCaCert: string;
  readonly clusterCert: string;
  readonly clusterKey: string;
  readonly clusterCaCert: string;
  /** After validation `grpc` or `http-connect`. */
  readonly mode: string;
  /** Path of the frontend's Unix socket; empty: the frontend listens on TCP. */
  readonly udsName: string;
  readonly deleteExistingUdsFile: boolean;
  readonly serverPort: number;
  /** Empty: every address of the machine; so for all bind addresses. */
  readonly serverBindAddress: string;
  /** Ours: entries of `wire/destination/destination_rule.ts`: what clients may reach (empty: anything), and what they may not. */
  readonly destinations: readonly string[];
  readonly denyDestinations: readonly string[];
  /** Ours: `NAME=DESTINATION` each: what one client may reach; empty: what all may. */
  readonly clientDestinations: readonly string[];
  readonly agentPort: number;
  readonly agentBindAddress: string;
  readonly adminPort: number;
  readonly adminBindAddress: string;
  readonly healthPort: number;
  readonly healthBindAddress: string;
  /** How long an agent's link may be silent before it is pinged; 0: never pinged. */
  readonly keepaliveTimeMs: number;
  /** The same for gRPC frontends. */
  readonly frontendKeepaliveTimeMs: number;
  readonly enableProfiling: boolean;
  /** Ours. */
  readonly enableHeapSnapshots: boolean;
  readonly enableContentionProfiling: boolean;
  /** Never empty unless it was given so. */
  readonly serverId: string;
  readonly serverCount: number;
  /** Ours: how many servers this one command runs, each a thread with an id of its own; see `worker_options.ts`. */
  readonly workers: number;
  /** These three together turn on authentication of agents by token. */
  readonly agentNamespace: string;
  readonly agentServiceAccount: string;
  readonly authenticationAudience: string;
  /** Ours: an agent needs a certificate of `clusterCaCert` and a token. */
  readonly requireAgentCertAndToken: boolean;
  /** Ours: without a CA and without tokens, whoever reaches the agent port is an agent. */
  readonly allowUnauthenticatedAgents: boolean;
  /** Ours: names of the certificates that clients and agents may have; empty: any of the CA. See `AllowedNames`. */
  readonly clientAllowedNames: readonly string[];
  readonly agentAllowedNames: readonly string[];
  /** Ours: an agent may claim only identifiers that its certificate or its token bears. */
  readonly bindIdentifiers: boolean;
  /** Ours: file of the audit log, `-` for standard output; empty: there is none. */
  readonly auditLog: string;
  /** Ours: host:port each, which the server dials through agents to see whether they can be reached. */
  readonly probeDestinations: readonly string[];
  readonly probeIntervalMs: number;
  /** Not longer than the interval. */
  readonly probeTimeoutMs: number;
  /** Ours: ready only while one of the destinations can be reached. */
  readonly probeReadiness: boolean;
  readonly kubeconfig: string;
  /** Requests a second to the Kubernetes API; 0: the client's default (5). */
  readonly kubeconfigQps: number;
  /** 0: the client's default (10). */
  readonly kubeconfigBurst: number;
  readonly kubeApiContentType: string;
  /** Comma list; see parseProxyStrategies. */
  readonly proxyStrategies: string;
  /** Go's names; see tlsPolicy. */
  readonly cipherSuites: readonly string[];
  /** Go's name (`VersionTLS12`) or empty; see tlsPolicy. */
  readonly tlsMinVersion: string;
  /** Ours: close connections whose certificate ends, or is not trusted any more. */
  readonly closeRevoked: boolean;
  /** Ours: how old an agent's link may become; 0: as old as it likes. */
  readonly maxLinkAgeMs: number;
  /** Ours: connected agents up to which metrics have a series of each; 0: never. */
  readonly perAgentMetrics: number;
  readonly xfrChannelSize: number;
  /** Of the original's next release. */
  readonly frontendWriteChannelSize: number;
  readonly enableLeaseController: boolean;
  readonly leaseNamespace: string;
  /** `key=value` pairs; see parseLabels. */
  readonly leaseLabel: string;
  /** How long tunnels may run on after the first signal; 0: not at all. */
  readonly gracefulShutdownTimeoutMs: number;
  /** How long an agent may take to answer a dial; 0: for ever. */
  readonly backendDialTimeoutMs: number;
  /** Deprecated, without effect. */
  readonly warnOnChannelLimit: boolean;
  /** Ours: `auto` takes the direct link where both sides can. */
  readonly linkProtocol: "auto" | "grpc";
  /** Ours: what speaks HTTP/2 under the gRPC services. */
  readonly http2: "own" | "runtime";
  readonly logging: LoggingSettings;
}
