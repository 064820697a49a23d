import {
  inRange,
  type IpAddress,
  type IpRange,
  isLoopback,
  parseIp,
  parseIpRange,
} from "../../wire/destination/ip_address.ts";
import { type HttpProxy, parseHttpProxy } from "./http_proxy.ts";

/** Variables that say which proxy is used and for whom not, those that count first in front. */
const proxyNames = ["HTTPS_PROXY", "https_proxy"] as const;
const exceptNames = ["NO_PROXY", "no_proxy"] as const;

/** Every variable that {@link readProxySettings} reads. */
export const proxyVariables: readonly string[] = [...proxyNames, ...exceptNames];

/** The proxy by which a host must be reached, and by no other way; undefined: it is dialled. */
export type ProxyFor = (host: string, port: number) => HttpProxy | undefined;

/** The environment names a proxy that cannot be used. The message names the variable, and never a password. */
export class ProxySettingsError extends Error {
  override readonly name = "ProxySettingsError";
  readonly code = "bad-proxy-settings";
}

/**
 * Reads the environment's settings for TLS connections as Go's net/http does: the proxy of `HTTPS_PROXY`, but not for
 * this machine's loopback addresses nor for what `NO_PROXY` names; an entry there that means nothing is passed over.
 * Go ignores a proxy that it cannot read and dials directly; here that is an error, since no way must lead around a
 * proxy that somebody has asked for.
 * @throws {ProxySettingsError}
 */
export function readProxySettings(env: (name: string) => string | undefined): ProxyFor {
  const name = proxyNames.find((each) => env(each)?.trim());
  if (name === undefined) return () => undefined;
  const given = env(name)?.trim() ?? "";
  // A scheme with one slash, or none, would else be a host.
  const proxy = parseHttpProxy(/^(?:[a-z][a-z\d+.-]*:\/\/|https?:(?!\d))/i.test(given) ? given : `http://${given}`);
  if (typeof proxy === "string") throw new ProxySettingsError(`${name} ${proxy}`);
  const exceptions = (exceptNames.map(env).find((value) => value) ?? "").split(",").flatMap((entry) =>
    exceptionOf(entry.trim().toLowerCase()) ?? []
  );
  return (host, port) => {
    const bare = host.trim().toLowerCase().replace(/^\[(.*)\]$/, "$1");
    const address = parseIp(bare);
    const local = address === undefined ? bare === "localhost" : isLoopback(address);
    return local || exceptions.some((each) => each(bare, address, port)) ? undefined : proxy;
  };
}

/** Whether an entry of `NO_PROXY` is about a host: its name in lower case or its address, and its port. */
type Exception = (name: string, address: IpAddress | undefined, port: number) => boolean;

/** @returns undefined for an entry that names no host */
function exceptionOf(entry: string): Exception | undefined {
  if (entry === "*") return () => true;
  const range = parseIpRange(entry);
  if (range !== undefined) return inside(range);
  const [, bracketed, plain, port = ""] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(entry) ?? [];
  const host = bracketed ?? plain ?? entry;
  if (host === "") return undefined;
  const onPort = (asked: number) => port === "" || port === String(asked);
  const own = host.includes("%") ? undefined : parseIp(host);
  if (own !== undefined) return (_name, address, asked) => address?.toString() === own.toString() && onPort(asked);
  const name = host.replace(/^\*(?=\.)/, "");
  const suffix = name.startsWith(".") ? name : `.${name}`;
  return (asked, _address, port) => (asked.endsWith(suffix) || asked === name) && onPort(port);
}

function inside(range: IpRange): Exception {
  return (_name, address) => address !== undefined && inRange(address, range);
}
