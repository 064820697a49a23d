import type { AgentIdentifiers } from "../wire/identifiers.ts";

/** How a backend is chosen for a destination; the names are the values of `--proxy-strategies`. */
export type StrategyName = "default" | "destHost" | "defaultRoute";

/** Whether a strategy may send a dial for `host` to an agent with these identifiers. */
export type Strategy = (host: string, identifiers: AgentIdentifiers) => boolean;

/** What each strategy allows; a list of them is tried in order. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = {
  default: () => true,
  destHost: (host, { ipv4, ipv6, host: hosts }) =>
    host !== "" && (ipv4.includes(host) || ipv6.includes(host) || hosts.includes(host)),
  defaultRoute: (_host, { defaultRoute }) => defaultRoute,
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
