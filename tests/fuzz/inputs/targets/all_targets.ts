import type { FuzzTarget } from "../target.ts";
import { certificates, pemTexts } from "./certificates.ts";
import { commandLines, flagValues } from "./command_lines.ts";
import { clientTunnels } from "./client_tunnels.ts";
import { connectHeads, requestMessages, requestTargets } from "./connect_heads.ts";
import { addresses, certificateNamePatterns, destinationRules, hostPorts } from "./destinations.ts";
import { directLinks } from "./direct_links.ts";
import { h2Server } from "./h2_server.ts";
import { hpack } from "./hpack.ts";
import { jsonLines, kubeconfigs, leases, tokens } from "./kubernetes.ts";
import { adoptions, commandWords, manifests } from "./manifests.ts";
import { identifiers, linkFrames, traceparents } from "./metadata.ts";
import { dnsAnswers, hosts, resolvConf } from "./names.ts";
import { packets } from "./packets.ts";
import { eventStreams, pageQueries, statusTexts } from "./pages.ts";
import { proxyAnswers, proxySettings } from "./proxies.ts";
import { agentLinks, servers } from "./sessions.ts";
import { clientHellos, der } from "./tls.ts";

/** Everything that inputs are thrown at. */
export const allTargets: readonly FuzzTarget[] = [
  packets,
  linkFrames,
  directLinks,
  agentLinks,
  servers,
  clientTunnels,
  h2Server,
  hpack,
  connectHeads,
  requestTargets,
  requestMessages,
  dnsAnswers,
  resolvConf,
  hosts,
  addresses,
  hostPorts,
  destinationRules,
  certificateNamePatterns,
  traceparents,
  identifiers,
  proxyAnswers,
  proxySettings,
  clientHellos,
  der,
  certificates,
  pemTexts,
  kubeconfigs,
  leases,
  jsonLines,
  tokens,
  manifests,
  adoptions,
  commandWords,
  commandLines,
  flagValues,
  pageQueries,
  eventStreams,
  statusTexts,
];
