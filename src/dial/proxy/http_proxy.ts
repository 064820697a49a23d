import { Buffer } from "node:buffer";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { isIp } from "../../wire/destination/ip_address.ts";

/** An HTTP proxy that is asked with CONNECT. */
export interface HttpProxy {
  /** It is spoken to over TLS. */
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Value of the header `Proxy-Authorization`; absent: no user is sent. */
  readonly authorization?: string;
  /** For messages: scheme, host and port, without user and password. */
  readonly shown: string;
}

/**
 * Reads the address of a proxy as a URL: `http://` or `https://`, host, perhaps a port, perhaps user and password, whose
 * percent escapes are decoded. A path is of no meaning.
 * @returns the proxy, or what is wrong, as the end of a sentence; it never repeats the text, which may hold a password
 */
export function parseHttpProxy(text: string): HttpProxy | string {
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    return `must be a URL that starts with http:// or https://${scheme === undefined ? "" : `, not with ${scheme}://`}`;
  }
  // The runtime would leave line breaks and tabs out, and send another password.
  if (/[^\x20-\x7e\u00a0-\u{10ffff}]/u.test(text)) return "holds a control character, such as a line break or a tab";
  const noUrl = "is no URL with a host and a port up to 65535, such as http://proxy.example:3128";
  if (!URL.canParse(text)) return noUrl;
  const url = new URL(text);
  // Else a part of the password would be the port or a path, and the user the host that is resolved and logged.
  if (`${url.pathname}${url.search}${url.hash}`.includes("@")) {
    return "has an @ behind a /, ? or #; within user and password these are written %2F, %3F and %23";
  }
  const secure = scheme === "https";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!isIp(host) && !/^[\w.-]{1,253}$/.test(host)) return noUrl;
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  if (port === 0) return "has the port 0, which nobody listens at";
  const { username, password } = url;
  return {
    secure,
    host,
    port,
    ...(username === "" && password === "" ? {} : { authorization: basic(username, password) }),
    shown: `${scheme}://${formatHostPort(host, port)}`,
  };
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.concat([decoded(username), Buffer.from(":"), decoded(password)]).toString("base64")}`;
}

/** The bytes of a text with percent escapes, which need not be UTF-8; a percent sign that begins none is one. */
function decoded(text: string): Buffer {
  const parts = text.split(/(%[\da-f]{2})/i);
  return Buffer.concat(
    parts.map((part) => /^%[\da-f]{2}$/i.test(part) ? Buffer.from(part.slice(1), "hex") : Buffer.from(part)),
  );
}
