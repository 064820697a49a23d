import { allowedNameFault, AllowedNames } from "../wire/destination/allowed_names.ts";
import type { ClientDestination } from "../server/dial_policy.ts";
import type { DestinationLists } from "../wire/destination/destination_policy.ts";
import { type DestinationRule, parseDestinationRule } from "../wire/destination/destination_rule.ts";
import { splitCsv } from "../flags/csv.ts";
import type { FlagType } from "../flags/flag.ts";
import { FlagValueError, quote } from "../flags/flag_error.ts";
import type { Fault } from "../flags/validation.ts";

/** What the entries of `--destinations` and its like are, for help. */
export const entryHelp = "An entry is a name, *.suffix (not the suffix itself), an address, a range (10.0.0.0/8, " +
  "fd00::/8) or * (any), each also with a port or ports: *.svc:443, 10.0.0.0/8:8000-8100, [fd00::]/8:10250";

/** The lists as rules. @throws {TypeError} for entries that validation refuses */
export function destinationLists(allow: readonly string[], deny: readonly string[]): DestinationLists {
  return { allow: allow.map(ruleOf), deny: deny.map(ruleOf) };
}

function ruleOf(entry: string): DestinationRule {
  const rule = parseDestinationRule(entry);
  if (typeof rule === "string") throw new TypeError(`${quote(entry)} ${rule}`);
  return rule;
}

/** The first entry that is none, by its flag. */
export function destinationsFault(lists: Readonly<Record<string, readonly string[]>>): Fault {
  for (const [flag, entries] of Object.entries(lists)) {
    for (const entry of entries) {
      const rule = parseDestinationRule(entry);
      if (typeof rule === "string") return `--${flag}: ${quote(entry)} ${rule}`;
    }
  }
  return undefined;
}

/**
 * `NAME=DESTINATION,DESTINATION,NAME=DESTINATION`: each destination with the name before it. Destinations hold no `=`,
 * names may.
 */
export const clientDestinations: FlagType = {
  label: "NAME=destinations",
  parse(text) {
    let name: string | undefined;
    return splitCsv(text).map((entry) => {
      const equals = entry.lastIndexOf("=");
      if (equals >= 0) name = entry.slice(0, equals);
      if (name === undefined) throw new FlagValueError(`${quote(entry)} names no client, NAME=DESTINATION is needed`);
      return `${name}=${entry.slice(equals + 1)}`;
    });
  },
};

/** The name that stands for every client, with or without a certificate. */
const everyClient = "*";

function clientAndEntry(text: string): [name: string, entry: string] {
  const equals = text.lastIndexOf("=");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** `--client-destinations` as rules. @throws {TypeError} for entries that validation refuses */
export function clientRules(entries: readonly string[]): ClientDestination[] {
  return entries.map((text) => {
    const [name, entry] = clientAndEntry(text);
    return { client: name === everyClient ? undefined : new AllowedNames([name]), rule: ruleOf(entry) };
  });
}

/**
 * The first entry of `--client-destinations` that is none.
 * @param certificates whether clients have any
 */
export function clientDestinationsFault(entries: readonly string[], certificates: boolean): Fault {
  for (const text of entries) {
    const [name, entry] = clientAndEntry(text);
    const fault = allowedNameFault(name);
    if (fault !== undefined) return `--client-destinations: the name ${quote(name)} ${fault}`;
    if (!certificates && name !== everyClient) {
      return `--client-destinations: ${quote(name)} names a certificate, which clients of a Unix socket have none`;
    }
    const rule = parseDestinationRule(entry);
    if (typeof rule === "string") return `--client-destinations: ${quote(entry)} ${rule}`;
  }
  return undefined;
}
