import type { LoggingSettings } from "../../logging/logging_settings.ts";

/**
 * The configuration of proxy-agent, one field a flag, named after it. Durations are milliseconds, never more than a timer of
 * the runtime can hold (24.8 days). Empty strings mean "not set". Only values that passed validation are sound.
 */
export interface AgentOptions {
  readonly agentCert: string;
  readonly agentKey: string;
  readonly caCert: string;
  /** At least one, without brackets around IPv6 addresses. */
  readonly proxyServerHosts: readonly string[];
  readonly proxyServerPort: number;
  /** Offered before `h2`. */
  readonly alpnProto: readonly string[];
  /** Empty: every address of the machine. */
  readonly healthServerHost: string;
  readonly healthServerPort: number;
  /** Empty: every address of the machine. */
  readonly adminBindAddress: string;
  readonly adminServerPort: number;
  readonly enableProfiling: boolean;
  /** Ours. */
  readonly enableHeapSnapshots: boolean;
  readonly enableContentionProfiling: boolean;
  /** May be empty where it was given so. */
  readonly agentId: string;
  /** A URL query, checked. */
  readonly agentIdentifiers: string;
  readonly syncIntervalMs: number;
  readonly syncIntervalCapMs: number;
  readonly probeIntervalMs: number;
  /** How long a link may be silent before it is pinged; 0: never pinged. */
  readonly keepaliveTimeMs: number;
  readonly serviceAccountTokenPath: string;
  readonly warnOnChannelLimit: boolean;
  readonly syncForever: boolean;
  readonly xfrChannelSize: number;
  readonly countServerLeases: boolean;
  /** Empty: all namespaces. */
  readonly leaseNamespace: string;
  /** A Kubernetes label selector, checked; empty selects every lease. */
  readonly leaseLabelSelector: string;
  /** After validation empty, `default` (which mean the same) or `max`. */
  readonly serverCountSource: string;
  readonly kubeconfig: string;
  readonly kubeApiContentType: string;
  /** Ours: `auto` takes the direct link where both sides can. */
  readonly linkProtocol: "auto" | "grpc";
  /** Ours: how old a link may become before another takes its place; 0: as old as it likes. */
  readonly maxLinkAgeMs: number;
  /** Ours: how long tunnels may run on after the first signal; 0: until the last one ends. */
  readonly drainTimeoutMs: number;
  /** Ours: entries of `wire/destination/destination_rule.ts`: what may be dialled (empty: anything), and what must not. */
  readonly destinations: readonly string[];
  readonly denyDestinations: readonly string[];
  readonly logging: LoggingSettings;
}
