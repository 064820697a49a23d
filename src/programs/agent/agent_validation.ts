import ipaddr from "ipaddr.js";
import { highestPort } from "../../wire/destination/host_port.ts";
import { IdentifiersError, parseQuery } from "../../wire/identifiers.ts";
import type { AgentOptions } from "./agent_options.ts";
import { destinationsFault } from "../destination_flags.ts";
import { formatDuration } from "../../flags/duration.ts";
import { type FileProbe, missing, probeFile } from "../../flags/file_probe.ts";
import { quote } from "../../flags/flag_error.ts";
import {
  type Fault,
  heapSnapshotsFault,
  idFault,
  isMissing,
  negativeFault,
  notPositiveFault,
  pairFault,
  sharedPortFault,
  unreadableFault,
  type Validation,
} from "../../flags/validation.ts";

const identifierKeys: ReadonlySet<string> = new Set(["ipv4", "ipv6", "cidr", "host", "default-route"]);

/** Checks the options of proxy-agent: first as the original does, then what it misses. */
export async function validateAgentOptions(options: AgentOptions, probe: FileProbe = probeFile): Promise<Validation> {
  const fault = await originalAgentFault(options, probe) ?? await furtherAgentFault(options, probe);
  if (fault !== undefined) return { kind: "refused", message: `failed to validate agent options with ${fault}` };
  return { kind: "ok", warnings: identifierWarnings(options.agentIdentifiers) };
}

/** The original's rules in its order and words; the first that is broken. */
export async function originalAgentFault(options: AgentOptions, probe: FileProbe): Promise<Fault> {
  return await pairFault("agent", options.agentKey, options.agentCert, probe) ??
    await missingFault("error checking agent CA cert", options.caCert, options.caCert, probe) ??
    numbersFault(options) ??
    await missingFault(
      "error checking service account token path",
      options.serviceAccountTokenPath,
      options.serviceAccountTokenPath,
      probe,
    ) ??
    identifiersFault(options.agentIdentifiers) ??
    await missingFault("error checking KubeconfigPath", options.kubeconfig, quote(options.kubeconfig), probe) ??
    countSourceFault(options.serverCountSource);
}

async function missingFault(what: string, path: string, shown: string, probe: FileProbe): Promise<Fault> {
  return await isMissing(path, probe) ? `${what} ${shown}, got ${missing(path)}` : undefined;
}

function numbersFault(options: AgentOptions): Fault {
  const numbers = {
    "proxy server port": options.proxyServerPort,
    "health server port": options.healthServerPort,
    "admin server port": options.adminServerPort,
    "channel size": options.xfrChannelSize,
  };
  for (const [what, value] of Object.entries(numbers)) {
    if (value <= 0) return `${what} ${value} must be greater than 0`;
  }
  if (options.enableContentionProfiling && !options.enableProfiling) {
    return "if --enable-contention-profiling is set, --enable-profiling must also be set";
  }
  if (options.syncIntervalMs > options.syncIntervalCapMs) {
    return `sync interval ${formatDuration(options.syncIntervalMs)} must be less than sync interval cap ` +
      formatDuration(options.syncIntervalCapMs);
  }
  return undefined;
}

function identifiersFault(identifiers: string): Fault {
  try {
    const unknown = parseQuery(identifiers).find(([key]) => !identifierKeys.has(key));
    return unknown === undefined ? undefined : `agent address is invalid: unknown address type: ${unknown[0]}`;
  } catch (error) {
    if (error instanceof IdentifiersError) return `agent address is invalid: ${error.message}`;
    throw error;
  }
}

function countSourceFault(source: string): Fault {
  if (source === "" || source === "default" || source === "max") return undefined;
  return `--server-count-source must be one of '', 'default', 'max', got ${source}`;
}

/** What the original accepts and then fails on, or runs unsafely with; the first that is broken. */
async function furtherAgentFault(options: AgentOptions, probe: FileProbe): Promise<Fault> {
  return await unreadableFault({
    "agent-key": options.agentKey,
    "agent-cert": options.agentCert,
    "ca-cert": options.caCert,
    "service-account-token-path": options.serviceAccountTokenPath,
    kubeconfig: options.kubeconfig,
  }, probe) ??
    (options.caCert === "" ? "ca cert must be set, servers are reached over TLS only" : undefined) ??
    portFault(options) ??
    notPositiveFault({
      "sync-interval": options.syncIntervalMs,
      "probe-interval": options.probeIntervalMs,
    }) ??
    negativeFault({
      "keepalive-time": options.keepaliveTimeMs,
      "drain-timeout": options.drainTimeoutMs,
      "max-link-age": options.maxLinkAgeMs,
    }) ??
    heapSnapshotsFault(options) ??
    idFault("agent-id", options.agentId) ??
    alpnFault(options.alpnProto) ??
    destinationsFault({ destinations: options.destinations, "deny-destinations": options.denyDestinations });
}

function portFault(options: AgentOptions): Fault {
  const ports = {
    "proxy server": options.proxyServerPort,
    "health server": options.healthServerPort,
    "admin server": options.adminServerPort,
  };
  for (const [what, port] of Object.entries(ports)) {
    if (port > highestPort) return `${what} port ${port} must be at most ${highestPort}`;
  }
  return sharedPortFault([
    { flag: "health-server-port", host: options.healthServerHost, port: options.healthServerPort },
    { flag: "admin-server-port", host: options.adminBindAddress, port: options.adminServerPort },
  ]);
}

function alpnFault(protocols: readonly string[]): Fault {
  const bad = protocols.find((protocol) => {
    const bytes = new TextEncoder().encode(protocol).byteLength;
    return bytes === 0 || bytes > 255;
  });
  return bad === undefined ? undefined : `--alpn-proto: a protocol's name has 1 to 255 bytes, got ${quote(bad)}`;
}

const addressChecks: Readonly<Record<string, (text: string) => boolean>> = {
  ipv4: (text) => ipaddr.IPv4.isValidFourPartDecimal(text),
  ipv6: (text) => ipaddr.IPv6.isValid(text),
  cidr: (text) => ipaddr.isValidCIDR(text),
};

/** Values that match no destination, such as a variable that was not expanded, are the operator's to hear of. */
function identifierWarnings(identifiers: string): string[] {
  return parseQuery(identifiers).flatMap(([key, value]) => {
    const isAddress = addressChecks[key];
    if (isAddress === undefined || isAddress(value)) return [];
    return [`--agent-identifiers: ${key}=${value} matches no destination: ${quote(value)} is no ${key} value`];
  });
}
