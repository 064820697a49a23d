import { type IpAddress, isUnspecified, parseIp, zoneOf } from "./ip_address.ts";

/** What the host of a dial is. */
export type DestinationHost =
  | {
    readonly kind: "address";
    readonly address: IpAddress;
    /** The one form in which it is dialled and shown, with the zone of a link-local address. */
    readonly text: string;
  }
  | { readonly kind: "name"; /** In lower case, without a dot at its end. */ readonly name: string }
  /** Nothing that could have an address: Go's resolver answers "no such host" by itself. */
  | { readonly kind: "none" };

/**
 * Reads the host of a dial by the rules of Go's net package, so that it means the same to every agent. An empty host and
 * `0.0.0.0` or `::` are this machine's loopback address. Forms that C's resolver takes for addresses and Go's does not
 * (`127.1`, `2130706433`, `0x7f.1`, `0177.0.0.1`, digits beyond ASCII) are neither addresses nor names.
 */
export function readHost(host: string): DestinationHost {
  if (host === "") return localhost;
  const address = parseIp(host);
  if (address !== undefined) {
    if (isUnspecified(address)) return localhost;
    // The only text that an IPv4 address has.
    if (!host.includes(":")) return { kind: "address", address, text: host };
    const zone = address.kind() === "ipv6" && address.range() === "linkLocal" ? zoneOf(host) : "";
    return { kind: "address", address, text: `${address.toString()}${zone}` };
  }
  if (!isName(host)) return { kind: "none" };
  return { kind: "name", name: foldName(host) };
}

/** A name in the form in which two of them can be compared. */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

const localhost: DestinationHost = readHost("127.0.0.1");

const longestName = 253;
const longestLabel = 63;

function isName(host: string): boolean {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length > longestName || !/[A-Za-z_-]/.test(name)) return false;
  const labels = name.split(".");
  if (
    !labels.every((label) => label.length <= longestLabel && /^[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?$/.test(label))
  ) {
    return false;
  }
  // Of what is left only hexadecimal numbers have letters, and C's resolver takes up to four for an address.
  return labels.length > 4 || !labels.every((label) => /^(0x[0-9a-f]*|\d+)$/i.test(label));
}
