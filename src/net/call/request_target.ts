/** What a request says of the resource that it wants; an absent part is empty. */
export interface RequestTarget {
  readonly method: string;
  readonly scheme: string;
  /** `:authority`, or `host` where there is none. */
  readonly authority: string;
  readonly path: string;
}

/** An authority that makes a URL, for those that are sound but make none; the router reads no host of it. */
const standInAuthority = "localhost";

/**
 * Checks that a request's target makes a URL, which Connect's adapter takes for granted: it throws at one that makes none,
 * outside of every promise.
 * @returns an authority that makes a URL with the path, or undefined where the request is to be answered with 400
 */
export function soundAuthority({ method, scheme, authority, path }: RequestTarget): string | undefined {
  // Methods are tokens (RFC 9110, section 9.1); CONNECT has no path and is served by no port that speaks HTTP/2.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(method) || method === "CONNECT") return undefined;
  if (scheme !== "http" && scheme !== "https") return undefined;
  if (!path.startsWith("/") || authority === "" || /[\s/?#@\\]/.test(unescaped(authority))) return undefined;
  if (URL.canParse(path, `${scheme}://${authority}`)) return authority;
  // A socket's path that grpc-go percent-encodes is a name by RFC 3986 (reg-name), and no host by the URL standard.
  return URL.canParse(path, `${scheme}://${unescaped(authority)}`) ? standInAuthority : undefined;
}

function unescaped(authority: string): string {
  return authority.replace(/%[0-9A-Fa-f]{2}/g, "x");
}
