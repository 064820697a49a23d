export const highestPort = 65535;

/** A destination's two halves. */
export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

/**
 * Splits host:port as Go's net.SplitHostPort does.
 * @returns the halves, or why it cannot be split, in Go's words
 */
export function parseHostPort(address: string): HostPort | string {
  let host: string;
  let port: string;
  if (address.startsWith("[")) {
    const close = address.indexOf("]");
    if (close < 0) return "missing ']' in address";
    if (address[close + 1] !== ":") return "missing port in address";
    host = address.slice(1, close);
    port = address.slice(close + 2);
    if (port.includes(":")) return "too many colons in address";
    if (host.includes("[")) return "unexpected '[' in address";
  } else {
    const colon = address.lastIndexOf(":");
    if (colon < 0) return "missing port in address";
    host = address.slice(0, colon);
    port = address.slice(colon + 1);
    if (host.includes(":")) return "too many colons in address";
    if (address.includes("[")) return "unexpected '[' in address";
    if (address.includes("]")) return "unexpected ']' in address";
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > highestPort) return `invalid port ${JSON.stringify(port)}`;
  return { host, port: Number(port) };
}

/** Joins host and port, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A host without the brackets that an IPv6 address may stand in. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Whom a URL of HTTP or HTTPS leads to. */
export function hostPortOf({ hostname, port, protocol }: URL): HostPort {
  const usual = protocol === "http:" ? 80 : 443;
  return { host: bareHost(hostname), port: port === "" ? usual : Number(port) };
}
