import ipaddr from "ipaddr.js";
import type { CertificateNames } from "../peer_identity.ts";

/**
 * A list of certificate names. An entry that holds `://` is compared with the certificate's URIs and with nothing else; any
 * other with its common name, DNS names and IP addresses. `*` stands for any characters but the separator of the entry, which
 * is `/` where it holds `://` and `.` elsewhere; as the last character it stands for whatever follows. DNS names are compared
 * without regard to case, addresses as addresses, the rest as it is written.
 */
export class AllowedNames {
  readonly #uris: readonly string[];
  readonly #names: readonly string[];

  /** @param entries without a {@link allowedNameFault} */
  constructor(entries: readonly string[]) {
    this.#uris = entries.filter(isUri);
    this.#names = entries.filter((entry) => !isUri(entry)).map(canonicalAddress);
  }

  /** Whether one of the certificate's names is in the list. */
  allows(names: CertificateNames | undefined): boolean {
    if (names === undefined) return false;
    return this.#uris.some((entry) => names.uris.some((uri) => matches(entry, uri, "/"))) ||
      this.#names.some((entry) =>
        matches(entry, names.commonName, ".") ||
        names.addresses.some((address) => matches(entry, address, ".")) ||
        names.dnsNames.some((name) => matches(entry.toLowerCase(), name.toLowerCase().replace(/\.$/, ""), "."))
      );
  }
}

/** Why an entry makes no sense in a list of names; undefined where it does. */
export function allowedNameFault(entry: string): string | undefined {
  if (entry === "") return "is empty";
  // deno-lint-ignore no-control-regex
  return /^\s|\s$|[\x00-\x1f\x7f]/.test(entry)
    ? "begins or ends with white space, or holds control characters"
    : undefined;
}

function isUri(entry: string): boolean {
  return entry.includes("://");
}

function canonicalAddress(entry: string): string {
  const valid = entry.includes(":") ? ipaddr.IPv6.isValid(entry) : ipaddr.IPv4.isValidFourPartDecimal(entry);
  return valid ? ipaddr.parse(entry).toString() : entry;
}

/** Compares with all readings of a pattern side by side: a name that is made to be slow costs its length times the pattern's. */
function matches(pattern: string, name: string, separator: string): boolean {
  if (name === "") return false;
  if (!pattern.includes("*")) return pattern === name;
  const end = pattern.length;
  // How much of the pattern the name has matched so far.
  let reached = withStars(pattern, [0]);
  for (let i = 0; i < name.length; i++) {
    const char = name[i];
    const next: number[] = [];
    for (const at of reached) {
      if (pattern[at] === char) next.push(at + 1);
      if (pattern[at] === "*" && (char !== separator || at === end - 1)) next.push(at);
    }
    reached = withStars(pattern, next);
    if (reached.size === 0) return false;
  }
  return reached.has(end);
}

/** A star may stand for nothing. */
function withStars(pattern: string, places: readonly number[]): ReadonlySet<number> {
  const all = new Set(places);
  for (let at of places) while (pattern[at] === "*") all.add(++at);
  return all;
}
