import { allowedNameFault } from "../../wire/destination/allowed_names.ts";
import { clientDestinationsFault, destinationsFault } from "../destination_flags.ts";
import { formatDuration } from "../../flags/duration.ts";
import { type FileProbe, missing, probeFile } from "../../flags/file_probe.ts";
import { quote } from "../../flags/flag_error.ts";
import { LabelsError, parseLabels } from "./lease_label.ts";
import { parseProxyStrategies, ProxyStrategiesError } from "./proxy_strategies.ts";
import { probesFault } from "./probes/probe_validation.ts";
import type { ServerOptions } from "./server_options.ts";
import { cipherSuiteFault, tlsVersionFault, tlsWarnings, unavailableSuitesFault } from "./tls_policy.ts";
import { maxWorkers } from "./workers/worker_options.ts";
import {
  type Fault,
  heapSnapshotsFault,
  highestListenPort,
  idFault,
  isMissing,
  lowestListenPort,
  negativeFault,
  pairFault,
  sharedPortFault,
  socketPathFault,
  unreadableFault,
  type Validation,
} from "../../flags/validation.ts";

/** Checks the options of proxy-server: first as the original does, then what it misses. */
export async function validateServerOptions(
  options: ServerOptions,
  probe: FileProbe = probeFile,
): Promise<Validation> {
  const fault = await originalServerFault(options, probe) ?? await furtherServerFault(options, probe);
  if (fault !== undefined) {
    return { kind: "refused", message: `failed to validate server options with ${fault}` };
  }
  const warnings = tlsWarnings(options.tlsMinVersion, options.cipherSuites);
  if (!hasAgentAuthentication(options)) {
    warnings.push(
      `agents are not authenticated: whoever reaches port ${options.agentPort} receives clients' connections`,
    );
  }
  if (options.bindIdentifiers && parseProxyStrategies(options.proxyStrategies).every((name) => name === "default")) {
    warnings.push(
      "--bind-identifiers makes no difference to clients: no strategy of --proxy-strategies looks at identifiers",
    );
  }
  return { kind: "ok", warnings };
}

/** Whether agents must show a token; then all three flags are set. */
export function usesTokens(options: ServerOptions): boolean {
  return options.agentNamespace !== "" || options.agentServiceAccount !== "" || options.authenticationAudience !== "";
}

/** Whether the server talks to the Kubernetes API. */
export function needsKubernetes(options: ServerOptions): boolean {
  return usesTokens(options) || options.enableLeaseController;
}

function hasAgentAuthentication(options: ServerOptions): boolean {
  return options.clusterCaCert !== "" || usesTokens(options);
}

/** The original's rules in its order and words; the first that is broken. */
export async function originalServerFault(options: ServerOptions, probe: FileProbe): Promise<Fault> {
  return await certificateFault("server", options.serverKey, options.serverCert, options.serverCaCert, probe) ??
    await certificateFault("cluster", options.clusterKey, options.clusterCert, options.clusterCaCert, probe) ??
    frontendFault(options) ??
    portFault(options) ??
    authenticationFault(options) ??
    await kubeconfigFault(options, probe) ??
    restFault(options);
}

async function certificateFault(
  kind: string,
  key: string,
  cert: string,
  ca: string,
  probe: FileProbe,
): Promise<Fault> {
  const fault = await pairFault(kind, key, cert, probe);
  if (fault !== undefined) return fault;
  return await isMissing(ca, probe) ? `error checking ${kind} CA cert ${ca}, got ${missing(ca)}` : undefined;
}

function frontendFault(options: ServerOptions): Fault {
  if (options.mode !== "grpc" && options.mode !== "http-connect") {
    return `mode must be set to either 'grpc' or 'http-connect' not ${quote(options.mode)}`;
  }
  if (options.udsName === "") {
    return options.serverCaCert === "" ? "server ca cert must be set when in TCP mode (uds-name is empty)" : undefined;
  }
  if (options.serverPort !== 0) return `server port should be set to 0 not ${options.serverPort} for UDS`;
  if (options.serverKey !== "") return "server key should not be set for UDS";
  if (options.serverCert !== "") return "server cert should not be set for UDS";
  if (options.serverCaCert !== "") return "server ca cert should not be set for UDS";
  return socketPathFault("uds-name", options.udsName);
}

function portFault(options: ServerOptions): Fault {
  const ports = [
    ["server", options.serverPort],
    ["agent", options.agentPort],
    ["admin", options.adminPort],
    ["health", options.healthPort],
  ] as const;
  for (const [kind, port] of ports) {
    if (port > highestListenPort) return `please do not try to use ephemeral port ${port} for the ${kind} port`;
  }
  for (const [kind, port] of ports) {
    if (port >= lowestListenPort || (kind === "server" && options.udsName !== "")) continue;
    return `please do not try to use reserved port ${port} for the ${kind} port`;
  }
  return undefined;
}

function authenticationFault(options: ServerOptions): Fault {
  if (options.enableContentionProfiling && !options.enableProfiling) {
    return "if --enable-contention-profiling is set, --enable-profiling must also be set";
  }
  if (!usesTokens(options)) return undefined;
  if (options.clusterCaCert !== "" && !options.requireAgentCertAndToken) {
    return "--cluster-ca-cert can not be used when agent authentication is enabled";
  }
  const trio = {
    "agent-namespace": options.agentNamespace,
    "agent-service-account": options.agentServiceAccount,
    "authentication-audience": options.authenticationAudience,
  };
  for (const [flag, value] of Object.entries(trio)) {
    if (value === "") return `--${flag} cannot be empty when agent authentication is enabled`;
  }
  return undefined;
}

async function kubeconfigFault({ kubeconfig }: ServerOptions, probe: FileProbe): Promise<Fault> {
  if (!await isMissing(kubeconfig, probe)) return undefined;
  return `checking KubeconfigPath ${quote(kubeconfig)}, got ${missing(kubeconfig)}`;
}

function restFault(options: ServerOptions): Fault {
  return strategiesFault(options) ??
    (options.xfrChannelSize <= 0 ? `channel size ${options.xfrChannelSize} must be greater than 0` : undefined) ??
    (options.frontendWriteChannelSize < 0
      ? `frontend write channel size ${options.frontendWriteChannelSize} must not be negative`
      : undefined) ??
    tlsVersionFault(options.tlsMinVersion) ??
    cipherSuiteFault(options.cipherSuites) ??
    labelFault(options) ??
    shortOf("graceful-shutdown-timeout", options.gracefulShutdownTimeoutMs) ??
    shortOf("backend-dial-timeout", options.backendDialTimeoutMs);
}

function strategiesFault({ proxyStrategies }: ServerOptions): Fault {
  if (proxyStrategies === "") return "ProxyStrategies cannot be empty";
  try {
    parseProxyStrategies(proxyStrategies);
    return undefined;
  } catch (error) {
    if (error instanceof ProxyStrategiesError) return `invalid proxy strategies: ${error.message}`;
    throw error;
  }
}

/** Labels matter only to the lease controller. */
function labelFault(options: ServerOptions): Fault {
  if (!options.enableLeaseController) return undefined;
  try {
    parseLabels(options.leaseLabel);
    return undefined;
  } catch (error) {
    if (error instanceof LabelsError) return error.message;
    throw error;
  }
}

function shortOf(flag: string, milliseconds: number): Fault {
  return milliseconds < 0 ? `${flag} must be >= 0, got ${formatDuration(milliseconds)}` : undefined;
}

/** What the original accepts and then fails on, or runs unsafely with; the first that is broken. */
async function furtherServerFault(options: ServerOptions, probe: FileProbe): Promise<Fault> {
  return await unreadableFault({
    "server-key": options.serverKey,
    "server-cert": options.serverCert,
    "server-ca-cert": options.serverCaCert,
    "cluster-key": options.clusterKey,
    "cluster-cert": options.clusterCert,
    "cluster-ca-cert": options.clusterCaCert,
    kubeconfig: options.kubeconfig,
  }, probe) ??
    missingCertificateFault(options) ??
    agentAuthenticationFault(options) ??
    listenerFault(options) ??
    negativeFault({
      "keepalive-time": options.keepaliveTimeMs,
      "frontend-keepalive-time": options.frontendKeepaliveTimeMs,
      "max-link-age": options.maxLinkAgeMs,
    }) ??
    unavailableSuitesFault(options.tlsMinVersion, options.cipherSuites) ??
    heapSnapshotsFault(options) ??
    destinationsFault({ destinations: options.destinations, "deny-destinations": options.denyDestinations }) ??
    clientDestinationsFault(options.clientDestinations, options.udsName === "") ??
    probesFault(options) ??
    idFault("server-id", options.serverId) ??
    identityFault(options) ??
    siblingsFault(options) ??
    metricsFault(options);
}

function missingCertificateFault(options: ServerOptions): Fault {
  if (options.udsName === "" && options.serverCert === "") {
    return "server cert and key must be set when in TCP mode (uds-name is empty)";
  }
  return options.clusterCert === "" ? "cluster cert and key must be set, agents connect over TLS only" : undefined;
}

function agentAuthenticationFault(options: ServerOptions): Fault {
  if (options.requireAgentCertAndToken && (options.clusterCaCert === "" || !usesTokens(options))) {
    return "--require-agent-cert-and-token needs --cluster-ca-cert, --agent-namespace, --agent-service-account and " +
      "--authentication-audience";
  }
  if (options.allowUnauthenticatedAgents || hasAgentAuthentication(options)) return undefined;
  return "agents would not be authenticated: set --cluster-ca-cert, or --agent-namespace, --agent-service-account and " +
    "--authentication-audience, or --allow-unauthenticated-agents to allow it; OpenShift HyperShift's server was of this " +
    "kind until July 2026 (CVE-2026-16242), and now sets --cluster-ca-cert";
}

/** Names and identifiers that nothing could prove would refuse everybody. */
function identityFault(options: ServerOptions): Fault {
  const lists = {
    "client-allowed-names": options.clientAllowedNames,
    "agent-allowed-names": options.agentAllowedNames,
  };
  for (const [flag, entries] of Object.entries(lists)) {
    for (const entry of entries) {
      const fault = allowedNameFault(entry);
      if (fault !== undefined) return `--${flag}: ${quote(entry)} ${fault}`;
    }
  }
  if (options.clientAllowedNames.length > 0 && options.serverCaCert === "") {
    return "--client-allowed-names needs --server-ca-cert: on a Unix socket clients show no certificate";
  }
  if (options.agentAllowedNames.length > 0 && options.clusterCaCert === "") {
    return "--agent-allowed-names needs --cluster-ca-cert: without it agents show no certificate";
  }
  return options.bindIdentifiers && !hasAgentAuthentication(options)
    ? "--bind-identifiers needs --cluster-ca-cert or token authentication: without them an agent can prove nothing"
    : undefined;
}

function listenerFault(options: ServerOptions): Fault {
  const frontend = { flag: "server-port", host: options.serverBindAddress, port: options.serverPort };
  return sharedPortFault([
    ...(options.udsName === "" ? [frontend] : []),
    { flag: "agent-port", host: options.agentBindAddress, port: options.agentPort },
    { flag: "admin-port", host: options.adminBindAddress, port: options.adminPort },
    { flag: "health-port", host: options.healthBindAddress, port: options.healthPort },
  ]);
}

function metricsFault({ perAgentMetrics }: ServerOptions): Fault {
  return perAgentMetrics < 0 ? `--per-agent-metrics must be >= 0, got ${perAgentMetrics}` : undefined;
}

function siblingsFault(options: ServerOptions): Fault {
  if (options.workers < 1 || options.workers > maxWorkers) {
    return `--workers must be from 1 to ${maxWorkers}, got ${options.workers}`;
  }
  if (options.serverCount < 1) return `--server-count must be greater than 0, got ${options.serverCount}`;
  if (options.enableLeaseController && options.leaseNamespace === "") {
    return "--lease-namespace cannot be empty when the lease controller is enabled";
  }
  return undefined;
}
