import ipaddr from "ipaddr.js";
import { quote } from "./flag_error.ts";
import { highestPort } from "./validation.ts";

/**
 * Why an entry of `--destinations` cannot be granted by the runtime's permissions; undefined when it can. Entries are a
 * name, `*.suffix`, an address or an IPv4 range, each with or without `:port`; IPv6 addresses stand in brackets.
 */
export function destinationFault(entry: string): string | undefined {
  const refused = (why: string) => `--destinations: ${quote(entry)} ${why}`;
  const [, host = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(entry) ?? [];
  if (host === "") {
    return refused(entry.includes(":") ? "is an IPv6 address without brackets, write [address]" : "names no host");
  }
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > highestPort)) {
    return refused(`has a port that is none, 1 to ${highestPort} is needed`);
  }
  if (host.startsWith("[")) {
    const inner = host.slice(1, -1);
    if (inner.includes("/")) return refused("is a range of IPv6 addresses, which the runtime cannot grant");
    return ipaddr.IPv6.isValid(inner) ? undefined : refused("is no IPv6 address");
  }
  if (host.includes("/")) {
    return ipaddr.IPv4.isValidCIDR(host) ? undefined : refused("is no range of IPv4 addresses");
  }
  if (/^[\d.]+$/.test(host)) {
    return ipaddr.IPv4.isValidFourPartDecimal(host) ? undefined : refused("is no IPv4 address");
  }
  return /^(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$/.test(host)
    ? undefined
    : refused("is no name; only *.suffix may begin with a star");
}
