import { bareHost } from "../wire/destination/host_port.ts";
import { isLoopback, parseIp } from "../wire/destination/ip_address.ts";

/** Whether a host, with or without brackets, is this machine by itself: `localhost` or a loopback address. */
export function isLoopbackHost(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  const address = parseIp(bareHost(host));
  return address !== undefined && isLoopback(address);
}

/** Whether a request was made to a loopback address, by its target and its Host header alike. */
export function isToLoopback(request: Request): boolean {
  if (!URL.canParse(request.url) || !isLoopbackHost(new URL(request.url).hostname)) return false;
  const header = request.headers.get("host");
  if (header === null) return true;
  const [, host] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header) ?? [];
  return host !== undefined && isLoopbackHost(host);
}
