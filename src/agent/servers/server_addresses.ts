import { readHost } from "../../wire/destination/destination_host.ts";
import { formsOf, type IpAddress, parseIp } from "../../wire/destination/ip_address.ts";

/** The proxy servers' names as configured, the addresses that they resolved to last, and the port for agents. */
export class ServerAddresses {
  readonly port: number;
  readonly #names: ReadonlySet<string>;
  readonly #addresses = new Map<string, readonly IpAddress[]>();

  /** @param hosts names and addresses, as configured */
  constructor(hosts: readonly string[], port: number) {
    this.port = port;
    this.#names = new Set(hosts.flatMap((host) => {
      const read = readHost(host);
      return read.kind === "name" ? [read.name] : [];
    }));
    for (const host of hosts) this.resolved(host, [host]);
  }

  /** A host was resolved; what is no address is passed over. */
  resolved(host: string, addresses: readonly string[]): void {
    const parsed = addresses.flatMap((text) => parseIp(text) ?? []);
    if (parsed.length > 0) this.#addresses.set(host, parsed);
  }

  hasName(name: string): boolean {
    return this.#names.has(name);
  }

  /**
   * Whether a server is at an address.
   * @param isLocal whether an address is this machine's: a server on this machine is at all of these
   */
  has(address: IpAddress, isLocal: (address: IpAddress) => boolean): boolean {
    const texts = formsOf(address).map(String);
    const known = [...this.#addresses.values()].flat();
    if (known.some((server) => texts.includes(server.toString()))) return true;
    return known.some(isLocal) && formsOf(address).some(isLocal);
  }
}
