import type { DestinationHost } from "./destination_host.ts";
import { coversPort, type DestinationRule, matchesAddress, matchesName } from "./destination_rule.ts";
import { bitsOf, formsOf, type IpAddress, type IpRange, within } from "./ip_address.ts";

/** Which destinations may be dialled: what `allow` names (everything, where it is empty) but for what `deny` names. */
export interface DestinationLists {
  readonly allow: readonly DestinationRule[];
  readonly deny: readonly DestinationRule[];
}

/** Lists that allow everything. */
export const anyDestination: DestinationLists = { allow: [], deny: [] };

/** Why lists do not allow a destination. */
export type Verdict = "denied" | "unlisted";

/** Words that stand in every error of a dial that a policy refused, of this server and of this agent, before the reason. */
export const notAllowed = "not allowed";

/**
 * Whether a dial's error is a policy's refusal: `dial tcp web.example:80: not allowed: …`. The HTTP CONNECT frontend
 * answers it with 403, and the client library has a code for it.
 */
export function isNotAllowed(error: string): boolean {
  return /^dial \S* \S*: not allowed: /.test(error);
}

/**
 * Judges a destination of which all is known: the host as it was asked for, and the address that it means.
 * @returns undefined when it may be dialled
 */
export function judge(
  lists: DestinationLists,
  asked: DestinationHost,
  address: IpAddress,
  port: number,
): Verdict | undefined {
  if (lists.allow.length === 0 && lists.deny.length === 0) return undefined;
  const forms = formsOf(address);
  const names = (rule: DestinationRule) =>
    coversPort(rule, port) &&
    (matchesAddress(rule.host, forms) || (asked.kind === "name" && matchesName(rule.host, asked.name)));
  if (lists.deny.some(names)) return "denied";
  return lists.allow.length === 0 || lists.allow.some(names) ? undefined : "unlisted";
}

/**
 * Judges a destination whose name is not resolved: only what no address could change is refused, so that a name is not
 * even looked up where nothing that it may lead to is allowed.
 */
export function judgeName(lists: DestinationLists, name: string, port: number): Verdict | undefined {
  const covering = (rule: DestinationRule) => coversPort(rule, port);
  if (lists.deny.some((rule) => covering(rule) && matchesName(rule.host, name))) return "denied";
  if (lists.allow.length === 0) return undefined;
  const possible = (rule: DestinationRule) => rule.host.kind === "range" || matchesName(rule.host, name);
  return lists.allow.some((rule) => covering(rule) && possible(rule)) ? undefined : "unlisted";
}

/**
 * Judges a destination by what was asked for alone, for a server, which resolves nothing: a range names addresses that
 * were asked for as such, never names that lead there.
 */
export function judgeAsked(lists: DestinationLists, asked: DestinationHost, port: number): Verdict | undefined {
  if (lists.allow.length === 0 && lists.deny.length === 0) return undefined;
  switch (asked.kind) {
    case "address":
      return judge(lists, asked, asked.address, port);
    case "name": {
      const names = (rule: DestinationRule) => coversPort(rule, port) && matchesName(rule.host, asked.name);
      if (lists.deny.some(names)) return "denied";
      return lists.allow.length === 0 || lists.allow.some(names) ? undefined : "unlisted";
    }
    case "none":
      // An agent of another version might take it for an address.
      return lists.deny.length > 0 ? "denied" : "unlisted";
  }
}

/**
 * Whether lists name an address that is refused by itself, and so lift that: by a range that lies in `guard`, as the
 * address does. Wider ranges, names and `*` lift nothing.
 */
export function namesWithin(lists: DestinationLists, guard: IpRange, address: IpAddress, port: number): boolean {
  const forms = formsOf(address);
  return lists.allow.some(({ host, ...ports }) =>
    coversPort(ports, port) && host.kind === "range" && within(host.range, guard) && matchesAddress(host, forms)
  );
}

/** The same for one port of one address: only an entry for just these two lifts it. */
export function namesExactly(lists: DestinationLists, address: IpAddress, port: number): boolean {
  const forms = formsOf(address);
  return lists.allow.some(({ host, firstPort, lastPort }) =>
    firstPort === port && lastPort === port && host.kind === "range" &&
    host.range.bits === bitsOf(host.range.network) &&
    matchesAddress(host, forms)
  );
}
