import { isIp } from "../../wire/destination/ip_address.ts";

/** What resolv.conf(5) says of how names are resolved. */
export interface ResolvConf {
  /** Addresses, in the order in which they are asked. */
  readonly servers: readonly string[];
  /** Suffixes that names are tried with, each with a final dot. */
  readonly search: readonly string[];
  /** A name with so many dots is tried as it is before it is tried with suffixes. */
  readonly ndots: number;
  /** How long one server is waited for, in milliseconds. */
  readonly timeoutMs: number;
  /** How often the list of servers is gone through. */
  readonly attempts: number;
  /** Begin with another server each time. */
  readonly rotate: boolean;
  /** Ask over TCP alone. */
  readonly tcp: boolean;
  /** Ask for IPv4 and IPv6 addresses one after the other. */
  readonly singleRequest: boolean;
}

/** Servers beyond the third are ignored, as by every resolver of the system. */
const maxServers = 3;
const maxNdots = 15;

/** Where no server is named, one is expected on this machine. */
const localServers = ["127.0.0.1", "::1"];

/** Reads the text of /etc/resolv.conf; an empty text gives the defaults. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (/^[;#]/.test(line)) continue;
    const [key, ...values] = line.trim().split(/\s+/);
    switch (key) {
      case "nameserver":
        if (servers.length < maxServers && isIp(values[0] ?? "")) servers.push(values[0] ?? "");
        break;
      case "domain":
        search = suffixes(values.slice(0, 1));
        break;
      case "search":
        search = suffixes(values);
        break;
      case "options":
        for (const option of values) options.set(option.split(":")[0] ?? "", option.split(":")[1] ?? "");
    }
  }
  const count = (name: string, fallback: number, least: number, most: number) => {
    const value = Number.parseInt(options.get(name) ?? "", 10);
    return Number.isNaN(value) ? fallback : Math.min(Math.max(value, least), most);
  };
  return {
    servers: servers.length === 0 ? localServers : servers,
    search,
    ndots: count("ndots", 1, 0, maxNdots),
    timeoutMs: count("timeout", 5, 1, 300) * 1000,
    attempts: count("attempts", 2, 1, 100),
    rotate: options.has("rotate"),
    tcp: ["use-vc", "usevc", "tcp"].some((name) => options.has(name)),
    singleRequest: ["single-request", "single-request-reopen"].some((name) => options.has(name)),
  };
}

/** The root, which changes no name, is left out, and so is what can be no part of a name. */
function suffixes(names: readonly string[]): string[] {
  return names.map((name) => name.endsWith(".") ? name : `${name}.`)
    .filter((name) => /^([-\w]{1,63}\.)+$/.test(name));
}
