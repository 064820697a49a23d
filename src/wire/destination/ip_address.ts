import ipaddr from "ipaddr.js";

/** An IP address as a number of 32 or 128 bits; an IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is the IPv4 address. */
export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses. */
export interface IpRange {
  readonly network: IpAddress;
  /** The length of its prefix. */
  readonly bits: number;
}

/**
 * Reads an address as Go's net package does: IPv4 in four decimal parts without leading zeros, IPv6 without brackets. A
 * zone (`fe80::1%eth0`) is read over, see {@link zoneOf}.
 * @returns undefined for everything else: the forms of C's inet_aton (`127.1`, `0x7f000001`) are names
 */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) return parseIpv4(text);
  const percent = text.indexOf("%");
  if (percent >= 0 && !/^%[-.:0-9A-Za-z]+$/.test(text.slice(percent))) return undefined;
  const groups = groupsOf(percent < 0 ? text : text.slice(0, percent));
  if (groups === undefined) return undefined;
  const address = new ipaddr.IPv6(groups);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Whether a text is an address for {@link parseIp}, and so for node:net's isIP, which loads half of Node with it. */
export function isIp(text: string): boolean {
  return parseIp(text) !== undefined;
}

/** The library reads the forms of inet_aton too, and is slow to refuse a name. */
function parseIpv4(text: string): ipaddr.IPv4 | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  const octets: number[] = [];
  // One pass, for every dial does this: an octet is -1 before its first digit.
  let octet = -1;
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? dot : text.charCodeAt(at);
    if (code === dot) {
      if (octet < 0 || octet > 255) return undefined;
      octets.push(octet);
      octet = -1;
    } else if (code < zero || code > nine || octet === 0) {
      // A zero has no digits behind it: C reads such a part as octal.
      return undefined;
    } else {
      octet = Math.max(octet, 0) * 10 + code - zero;
    }
  }
  return octets.length === 4 ? new ipaddr.IPv4(octets) : undefined;
}

const dot = ".".charCodeAt(0);
const zero = "0".charCodeAt(0);
const nine = "9".charCodeAt(0);

/**
 * The eight groups of an IPv6 address. The library's own reading takes an embedded IPv4 address in octal, and ::1.2.3.4
 * for ::ffff:1.2.3.4.
 */
function groupsOf(text: string): number[] | undefined {
  const halves = text.split("::");
  const [head = [], tail = []] = halves.map((half) => half === "" ? [] : half.split(":"));
  const last = (halves.length > 1 ? tail : head).at(-1);
  if (last?.includes(".")) {
    const embedded = parseIpv4(last);
    if (embedded === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = embedded.octets;
    (halves.length > 1 ? tail : head).splice(-1, 1, (a * 256 + b).toString(16), (c * 256 + d).toString(16));
  }
  const given = head.length + tail.length;
  // Eight groups leave :: nothing to stand for.
  if (halves.length > 2 || (halves.length === 2 ? given > 7 : given !== 8)) return undefined;
  const groups = [...head, ...Array<string>(8 - given).fill("0"), ...tail];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => parseInt(group, 16))
    : undefined;
}

/** The zone of an address in text with its `%`, empty without one. */
export function zoneOf(text: string): string {
  const percent = text.indexOf("%");
  return percent < 0 ? "" : text.slice(percent);
}

/** Reads `address/bits`; undefined when it is none. */
export function parseIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf("/");
  if (slash < 0 || text.includes("%")) return undefined;
  const digits = text.slice(slash + 1);
  const address = text.slice(0, slash);
  const network = parseIp(address);
  if (network === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  // A range of mapped addresses (::ffff:10.0.0.0/104) is one of IPv4 addresses.
  const bits = Number(digits) - (address.includes(":") && network.kind() === "ipv4" ? 96 : 0);
  return bits < 0 || bits > bitsOf(network) ? undefined : { network, bits };
}

/** How many bits an address has. */
export function bitsOf(address: IpAddress): 32 | 128 {
  return address.kind() === "ipv4" ? 32 : 128;
}

/** Whether an address lies in a range; never where one is IPv4 and the other IPv6. */
export function inRange(address: IpAddress, { network, bits }: IpRange): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** Whether a range lies in another one. */
export function within(inner: IpRange, outer: IpRange): boolean {
  return inner.bits >= outer.bits && inRange(inner.network, outer);
}

/** A range from its text, for tables in the code. @throws {TypeError} when it is none */
export function ipRange(text: string): IpRange {
  const range = parseIpRange(text);
  if (range === undefined) throw new TypeError(`${text} is no range of addresses`);
  return range;
}

const nat64 = ipRange("64:ff9b::/96");

/**
 * The addresses that a packet to an address may arrive at: itself, what a NAT64 gateway (RFC 6052) makes of
 * `64:ff9b::a.b.c.d`, and for the unspecified address the loopback one, which the system connects to in its place.
 */
export function formsOf(address: IpAddress): readonly IpAddress[] {
  if (isUnspecified(address)) return [address, address.kind() === "ipv4" ? ipv4Loopback : ipv6Loopback];
  if (!inRange(address, nat64)) return [address];
  return [address, new ipaddr.IPv4([...address.toByteArray().slice(-4)])];
}

const ipv4Loopback = new ipaddr.IPv4([127, 0, 0, 1]);
const ipv6Loopback = new ipaddr.IPv6([0, 0, 0, 0, 0, 0, 0, 1]);
const loopback: readonly IpRange[] = [ipRange("127.0.0.0/8"), ipRange("::1/128")];
const unspecified: readonly IpRange[] = [ipRange("0.0.0.0/32"), ipRange("::/128")];

/** Whether an address is this machine's by itself, whatever its interfaces: 127.0.0.0/8 and ::1. */
export function isLoopback(address: IpAddress): boolean {
  return loopback.some((range) => inRange(address, range));
}

/** Whether an address is 0.0.0.0 or ::, which a dial takes for this machine. */
export function isUnspecified(address: IpAddress): boolean {
  return unspecified.some((range) => inRange(address, range));
}
