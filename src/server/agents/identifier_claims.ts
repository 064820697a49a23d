import ipaddr from "ipaddr.js";
import type { AgentIdentifiers } from "../../wire/identifiers.ts";
import type { PeerCertificate, TokenSubject } from "../../wire/peer_identity.ts";
import { canonicalHost } from "../strategies.ts";

/** Where a certificate names ranges and the default route, for which alternative names have no kind of their own. */
const uriPrefix = "konnectivity:";

/** The proofs of who an agent is. */
export interface AgentProofs {
  readonly certificate: PeerCertificate | undefined;
  readonly token: TokenSubject | undefined;
}

type AddressRange = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number];

/**
 * Finds an identifier that an agent claims and does not prove. `ipv4`, `ipv6` and `host` mean the same to the strategies and
 * need the same: an IP address or DNS name of the certificate, or the name of the token's pod or node. `cidr` needs a URI
 * `konnectivity:cidr/10.0.0.0/8` in the certificate, for this range or one around it, which proves its addresses too.
 * `default-route` needs the URI `konnectivity:default-route`.
 * @returns the first such claim, as `host=a.example`; undefined where all are proven
 */
export function unprovenClaim(claims: AgentIdentifiers, { certificate, token }: AgentProofs): string | undefined {
  const hosts = new Set(
    [...certificate?.addresses ?? [], ...certificate?.dnsNames ?? [], token?.podName ?? "", token?.nodeName ?? ""]
      .filter((name) => name !== "").map(canonicalHost),
  );
  const uris = (certificate?.uris ?? []).filter((uri) => uri.startsWith(uriPrefix))
    .map((uri) => uri.slice(uriPrefix.length));
  const ranges = uris.filter((uri) => uri.startsWith("cidr/")).map((uri) => rangeOf(uri.slice("cidr/".length)))
    .filter((range) => range !== undefined);
  for (const key of ["ipv4", "ipv6", "host"] as const) {
    for (const claim of claims[key]) {
      // Stands for nothing.
      if (claim === "") continue;
      const host = canonicalHost(claim);
      if (hosts.has(host) || hosts.has(wildcardOf(host)) || isWithin(rangeOf(host), ranges)) continue;
      return `${key}=${claim}`;
    }
  }
  for (const claim of claims.cidr) if (!isWithin(rangeOf(claim), ranges)) return `cidr=${claim}`;
  if (claims.defaultRoute && !uris.includes("default-route")) return "default-route=true";
  return undefined;
}

/** The name that a certificate has for all names beside this one (RFC 6125 section 6.4.3); a star proves no other star. */
function wildcardOf(host: string): string {
  const dot = host.indexOf(".");
  return dot <= 0 || host.startsWith("*") ? "" : `*${host.slice(dot)}`;
}

/** A range as text, or an address as the range of itself alone; undefined where it is neither. */
function rangeOf(text: string): AddressRange | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (text.includes(":") ? !ipaddr.IPv6.isValid(text) : !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

function isWithin(range: AddressRange | undefined, outer: readonly AddressRange[]): boolean {
  if (range === undefined) return false;
  const [network, bits] = range;
  return outer.some(([around, fewer]) =>
    around.kind() === network.kind() && bits >= fewer && network.match(around, fewer)
  );
}
