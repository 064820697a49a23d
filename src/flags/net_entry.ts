import ipaddr from "ipaddr.js";
import { highestPort } from "../wire/destination/host_port.ts";

/**
 * Why the runtime's network permission cannot name this; undefined when it can. Entries are a name, `*.suffix`, an
 * address or an IPv4 range, each with or without `:port`; IPv6 addresses stand in brackets. A range allows dialling
 * addresses only, never names that lead to them.
 */
export function netEntryFault(entry: string): string | undefined {
  const [, host = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(entry) ?? [];
  if (host === "") {
    return entry.includes(":") ? "is an IPv6 address without brackets, write [address]" : "names no host";
  }
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > highestPort)) {
    return `has a port that is none, 1 to ${highestPort} is needed`;
  }
  if (host.startsWith("[")) {
    const inner = host.slice(1, -1);
    if (inner.includes("/")) return "is a range of IPv6 addresses, which the runtime cannot grant";
    return ipaddr.IPv6.isValid(inner) ? undefined : "is no IPv6 address";
  }
  if (host.includes("/")) return ipaddr.IPv4.isValidCIDR(host) ? undefined : "is no range of IPv4 addresses";
  if (/^[\d.]+$/.test(host)) {
    return ipaddr.IPv4.isValidFourPartDecimal(host) ? undefined : "is no IPv4 address";
  }
  return /^(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$/.test(host)
    ? undefined
    : "is no name; only *.suffix may begin with a star";
}
