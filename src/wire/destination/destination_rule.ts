import { foldName, readHost } from "./destination_host.ts";
import { bitsOf, inRange, type IpAddress, type IpRange, parseIp, parseIpRange } from "./ip_address.ts";
import { highestPort } from "./host_port.ts";

/** What a rule says of hosts. */
export type HostPattern =
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  /** With its leading dot: names that end with it, never the suffix itself. */
  | { readonly kind: "suffix"; readonly suffix: string }
  | { readonly kind: "range"; readonly range: IpRange };

/** One entry of `--destinations` and its like: which hosts, on which ports. */
export interface DestinationRule {
  readonly host: HostPattern;
  readonly firstPort: number;
  readonly lastPort: number;
}

/**
 * Reads an entry: `*`, a name, `*.suffix`, an address or a range of addresses, each with or without `:port` or
 * `:first-last`. IPv6 stands in brackets where a port follows: `[fd00::]/8:443`.
 * @returns the rule, or what is wrong, as the end of a sentence that begins with the entry
 */
export function parseDestinationRule(entry: string): DestinationRule | string {
  const [host, ports] = splitPorts(entry);
  if (host === "") return "names no host, * stands for any";
  let firstPort = 0;
  let lastPort = highestPort;
  if (ports !== undefined) {
    const [, first = "", last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports) ?? [];
    [firstPort, lastPort] = [Number(first), Number(last)];
    if (firstPort < 1 || lastPort > highestPort || firstPort > lastPort) {
      return `has a port that is none, 1 to ${highestPort} or a range such as 8000-8080 is needed`;
    }
  }
  const pattern = hostPattern(host);
  return typeof pattern === "string" ? pattern : { host: pattern, firstPort, lastPort };
}

/** The host without its brackets, and the text behind its colon. */
function splitPorts(entry: string): [host: string, ports: string | undefined] {
  const bracketed = /^\[([^\]]*)\](\/\d*)?(?::(.*))?$/.exec(entry);
  if (bracketed !== null) {
    const [, address = "", prefix = "", ports] = bracketed;
    // What is no IPv6 address does not become one by brackets.
    return [address.includes(":") ? `${address}${prefix}` : entry, ports];
  }
  const colon = entry.indexOf(":");
  // More colons than one and no brackets: IPv6 without a port.
  if (colon < 0 || colon !== entry.lastIndexOf(":")) return [entry, undefined];
  return [entry.slice(0, colon), entry.slice(colon + 1)];
}

function hostPattern(host: string): HostPattern | string {
  if (host === "*") return { kind: "any" };
  if (host.includes("/")) {
    const range = parseIpRange(host);
    return range === undefined ? "is no range of addresses" : { kind: "range", range };
  }
  if (host.includes("%")) return "has a zone, leave it out";
  const address = parseIp(host);
  if (address !== undefined) return { kind: "range", range: { network: address, bits: bitsOf(address) } };
  if (host.includes(":") || host.includes("[")) return "is no IPv6 address";
  const suffix = host.startsWith("*.");
  const name = readHost(suffix ? host.slice(2) : host);
  if (name.kind !== "name") {
    return /^[\d.]+$/.test(host) ? "is no IPv4 address" : "is no name; only *.suffix may begin with a star";
  }
  return suffix ? { kind: "suffix", suffix: `.${foldName(name.name)}` } : { kind: "name", name: name.name };
}

/** Whether a rule is about a port. */
export function coversPort(
  { firstPort, lastPort }: Pick<DestinationRule, "firstPort" | "lastPort">,
  port: number,
): boolean {
  return firstPort <= port && port <= lastPort;
}

/** Whether a pattern names a host as it was asked for; never by an address. @param name as `readHost` gives it */
export function matchesName(pattern: HostPattern, name: string): boolean {
  switch (pattern.kind) {
    case "any":
      return true;
    case "name":
      return pattern.name === name;
    case "suffix":
      return name.endsWith(pattern.suffix);
    case "range":
      return false;
  }
}

/** Whether a pattern names one of the forms of an address. */
export function matchesAddress(pattern: HostPattern, forms: readonly IpAddress[]): boolean {
  return pattern.kind === "any" ||
    (pattern.kind === "range" && forms.some((form) => inRange(form, pattern.range)));
}
