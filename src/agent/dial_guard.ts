import { type DestinationHost, readHost } from "../wire/destination/destination_host.ts";
import {
  type DestinationLists,
  judge,
  judgeName,
  namesExactly,
  namesWithin,
  notAllowed,
  type Verdict,
} from "../wire/destination/destination_policy.ts";
import { formsOf, inRange, type IpAddress, ipRange, parseIp } from "../wire/destination/ip_address.ts";
import type { ServerAddresses } from "./servers/server_addresses.ts";

/** What an agent never dials unless it is named, and how it finds out what that is. */
export interface DialGuardOptions {
  /** `--destinations` and `--deny-destinations`. */
  readonly lists: DestinationLists;
  /** Ports that this agent itself listens on; read for each dial. */
  readonly ownPorts: () => readonly number[];
  /** Whether an address is this machine's: of an interface or a loopback one. */
  readonly isLocal: (address: IpAddress) => boolean;
  readonly servers: ServerAddresses;
}

/**
 * Says why a destination must not be dialled, for the client to read; undefined when it may be. Called for a name before
 * it is resolved, without an address, and for every address before it is connected to.
 * @param host as it was asked for
 * @param address as it was resolved, without brackets
 */
export type DialCheck = (host: string, port: number, address?: string) => string | undefined;

/** Where clouds and clusters keep what a node alone should see: metadata, and neighbours on the line. */
const linkLocal = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"].map(ipRange);

/** Whether the address, or one that a packet to it may arrive at, can be link-local: most dials need no closer look. */
function mayBeSpecial(address: IpAddress): boolean {
  return !("octets" in address) || address.octets[0] === 169;
}

const reasons: Readonly<Record<Verdict, string>> = {
  denied: "among this agent's --deny-destinations",
  unlisted: "not among this agent's --destinations",
};

/**
 * The check of every dial of an agent. The agent's own ports, the servers' port for agents and link-local addresses are
 * refused whatever `--destinations` says of names and ranges; an entry for the address itself lifts that. Whoever may dial
 * through the tunnel would else read the agent's admin port, which believes what comes from its own machine.
 */
export function dialGuard({ lists, ownPorts, isLocal, servers }: DialGuardOptions): DialCheck {
  const local = (address: IpAddress) => formsOf(address).some(isLocal);

  function guarded(asked: DestinationHost, address: IpAddress, port: number): string | undefined {
    if (mayBeSpecial(address)) {
      const forms = formsOf(address);
      const range = linkLocal.find((each) => forms.some((form) => inRange(form, each)));
      if (range !== undefined && !namesWithin(lists, range, address, port)) return "a link-local or metadata address";
    }
    const own = ownPorts().includes(port) && local(address);
    const server = port === servers.port &&
      ((asked.kind === "name" && servers.hasName(asked.name)) || servers.has(address, isLocal));
    if ((!own && !server) || namesExactly(lists, address, port)) return undefined;
    return own ? "a port of this agent itself" : "the proxy servers' port for agents";
  }

  function refusal(asked: DestinationHost, address: IpAddress | undefined, port: number): string | undefined {
    if (address === undefined) {
      const verdict = asked.kind === "name" ? judgeName(lists, asked.name, port) : undefined;
      return verdict === undefined ? undefined : reasons[verdict];
    }
    const verdict = judge(lists, asked, address, port);
    return verdict === undefined ? guarded(asked, address, port) : reasons[verdict];
  }

  return (host, port, address) => {
    const parsed = address === undefined ? undefined : parseIp(address);
    const asked = parsed !== undefined && address === host
      ? { kind: "address", address: parsed, text: host } as const
      : readHost(host);
    // What cannot be read cannot be judged.
    const why = address !== undefined && parsed === undefined
      ? "an address that cannot be read"
      : refusal(asked, parsed, port);
    return why === undefined ? undefined : `${notAllowed}: ${why}`;
  };
}
