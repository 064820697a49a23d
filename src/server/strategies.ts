import ipaddr from "ipaddr.js";
import type { AgentIdentifiers } from "../wire/identifiers.ts";

/** How a backend is chosen for a destination; the names are the values of `--proxy-strategies`. */
export type StrategyName = "default" | "destHost" | "defaultRoute";

/** An address or a host name in the one form in which two of them can be compared. */
export function canonicalHost(host: string): string {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const address = parseAddress(bare);
  if (address === undefined) return bare.toLowerCase().replace(/\.$/, "");
  return address.toString();
}

/** An IPv4 address written as IPv6 (::ffff:1.2.3.4) is the IPv4 address. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // To the parser a host name is an exception, which costs more than all else of the choice; most end in a letter.
  if (!text.includes(":") && !/\d$/.test(text)) return undefined;
  // The strict forms only: 1.2 and 0x7f000001 are host names here, as they are to the agent's resolver.
  const isAddress = text.includes(":") ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text);
  return isAddress ? ipaddr.process(text) : undefined;
}

/** A range of addresses that an agent stands for. */
interface Range {
  readonly network: ipaddr.IPv4 | ipaddr.IPv6;
  readonly bits: number;
}

/** What an agent's identifiers mean, worked out once when it connects. */
export interface Reach {
  readonly hosts: ReadonlySet<string>;
  readonly ranges: readonly Range[];
  readonly defaultRoute: boolean;
}

/** Works out what identifiers mean. What is no address or range matches nothing, as in the original. */
export function reachOf(identifiers: AgentIdentifiers): Reach {
  const hosts = [...identifiers.ipv4, ...identifiers.ipv6, ...identifiers.host]
    .filter((host) => host !== "")
    .map(canonicalHost);
  const ranges: Range[] = [];
  for (const cidr of identifiers.cidr) {
    if (!ipaddr.isValidCIDR(cidr)) continue;
    const [network, bits] = ipaddr.parseCIDR(cidr);
    ranges.push({ network, bits });
  }
  return { hosts: new Set(hosts), ranges, defaultRoute: identifiers.defaultRoute };
}

/** How well an agent's identifiers fit a host: a name or address beats a range, a longer prefix a shorter one; 0: not at all. */
export function destHostFit(host: string, reach: Reach): number {
  if (host === "") return 0;
  if (reach.hosts.has(host)) return exactFit;
  if (reach.ranges.length === 0) return 0;
  const address = parseAddress(host);
  if (address === undefined) return 0;
  let best = 0;
  for (const { network, bits } of reach.ranges) {
    if (network.kind() === address.kind() && address.match(network, bits)) best = Math.max(best, 1 + bits);
  }
  return best;
}

/** Above any prefix length plus one. */
const exactFit = 1000;

/** How well a strategy likes an agent for a host; 0: the strategy does not send it there. */
export type Strategy = (host: string, reach: Reach) => number;

/** What each strategy allows; a list of them is tried in order. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = {
  default: () => 1,
  destHost: destHostFit,
  defaultRoute: (_host, reach) => reach.defaultRoute ? 1 : 0,
};

/**
 * The host of a dial's address, without port and brackets. An address that is no host:port is taken whole.
 */
export function hostOf(address: string): string {
  if (address.startsWith("[")) {
    const close = address.indexOf("]");
    return close < 0 ? address : address.slice(1, close);
  }
  const colon = address.indexOf(":");
  // More than one colon and no brackets: an IPv6 address without a port.
  return colon >= 0 && colon === address.lastIndexOf(":") ? address.slice(0, colon) : address;
}
