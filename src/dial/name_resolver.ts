import { getLogger } from "@logtape/logtape";
import { isIP } from "node:net";
import { beforeAbort } from "../faults/before_abort.ts";
import type { Clock } from "../runtime/clock.ts";
import { formatHostPort } from "../wire/destination/host_port.ts";
import { ConfigFile } from "./dns/config_file.ts";
import { lookupDns, type Wanted } from "./dns/dns_lookup.ts";
import { parseHostSources } from "./dns/host_sources.ts";
import { hostKey, parseHosts } from "./dns/hosts.ts";
import { LookupError, lookupReasons } from "./dns/lookup_error.ts";
import { parseResolvConf } from "./dns/resolv_conf.ts";
import { type ResolverFiles, systemFiles } from "./dns/system_files.ts";
import { UdpSockets } from "./dns/udp_sockets.ts";
import { type ResolverLimits, resolverLimits } from "./resolver_limits.ts";
import { Gate, lookupBySystem } from "./system_lookup.ts";

const log = getLogger(["names"]);

/** How names are resolved; beside the clock tests choose, programs take the defaults. */
export interface NameResolverOptions {
  readonly clock: Clock;
  readonly files?: ResolverFiles;
  readonly limits?: ResolverLimits;
  /** Where name servers listen. */
  readonly port?: number;
}

/** One look-up. */
export interface LookupOptions extends Wanted {
  /** Ends the caller's wait; the name servers are given up when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Who asks: nobody takes more than a share of what may be in flight. */
  readonly asker?: object;
  /** What is to be dialled; the sandbox may allow the name for this port alone. */
  readonly port?: number;
}

/** A question that name servers are being asked, and who waits for its answer. */
interface Flight {
  readonly answer: Promise<readonly string[]>;
  readonly giveUp: AbortController;
  /** Whose share it counts to. */
  readonly asker: object;
  waiting: number;
}

const localhost = ["127.0.0.1", "::1"];

/**
 * Resolves names without a thread of the runtime: by the hosts file, then by the name servers, as nsswitch.conf and
 * resolv.conf say. Questions for one name that come while it is being asked share the answer; beyond that nothing is kept,
 * as in Go: who moves a service expects that the next dial finds it.
 */
export class NameResolver {
  readonly #hosts: ConfigFile<ReturnType<typeof parseHosts>>;
  readonly #conf: ConfigFile<ReturnType<typeof parseResolvConf>>;
  readonly #sources: ConfigFile<ReturnType<typeof parseHostSources>>;
  readonly #clock: Clock;
  readonly #files: ResolverFiles;
  readonly #limits: ResolverLimits;
  readonly #port: number;
  readonly #sockets: UdpSockets;
  readonly #gate: Gate;
  readonly #flights = new Map<string, Flight>();
  readonly #shares = new WeakMap<object, number>();
  #offset = 0;
  #mayRead: boolean | undefined;
  /** Name servers, by whether the sandbox lets this program ask them. */
  readonly #mayAsk = new Map<string, boolean>();

  constructor(options: NameResolverOptions) {
    this.#clock = options.clock;
    const files = options.files ?? systemFiles;
    this.#files = files;
    this.#limits = options.limits ?? resolverLimits;
    this.#port = options.port ?? 53;
    this.#hosts = new ConfigFile(files.hosts, parseHosts, options.clock);
    this.#conf = new ConfigFile(files.resolvConf, parseResolvConf, options.clock);
    this.#sources = new ConfigFile(files.nsswitch, parseHostSources, options.clock);
    this.#sockets = new UdpSockets(this.#limits.maxSockets);
    this.#gate = new Gate(this.#limits.maxSystemLookups);
  }

  /** Names that name servers are being asked for. */
  get inFlight(): number {
    return this.#flights.size;
  }

  /** The place where what blocks a thread of the runtime waits for its turn. */
  get gate(): Gate {
    return this.#gate;
  }

  /**
   * The addresses of a host, at least one; those of an address are itself.
   * @throws {LookupError} the signal's reason when it aborts
   */
  async lookup(host: string, options: LookupOptions): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    options.signal.throwIfAborted();
    if (!this.#readable()) return await this.#lookupBySystem(host, options);
    const { order, others } = this.#sources.read();
    let failure = new LookupError("no-such-host", host, lookupReasons["no-such-host"]);
    for (const source of order) {
      const known = source === "files" ? this.#known(host, options.family) : undefined;
      if (known !== undefined) return known;
      if (source === "files") continue;
      try {
        return await this.#lookupDns(host, options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (!(error instanceof LookupError) || error.code !== "no-such-host") throw error;
        failure = error;
      }
    }
    // Whatever the order: this name is nobody else's to answer (RFC 6761 section 6.3).
    if (isLocalhost(host)) return ofFamily(localhost, options.family);
    if (others) return await this.#lookupBySystem(host, options);
    throw failure;
  }

  /** What the hosts file says; undefined where it does not know the name in this family. */
  #known(host: string, family: LookupOptions["family"]): readonly string[] | undefined {
    const addresses = ofFamily(this.#hosts.read().get(hostKey(host)) ?? [], family);
    if (addresses.length > 0) return addresses;
    return isLocalhost(host) ? ofFamily(localhost, family) : undefined;
  }

  async #lookupDns(host: string, options: LookupOptions): Promise<readonly string[]> {
    if (this.#conf.read().servers.some((server) => !this.#askable(server))) {
      return await this.#lookupBySystem(host, options);
    }
    const key = `${host} ${options.family} ${options.complete}`;
    const flight = this.#flights.get(key) ?? this.#begin(key, host, options);
    flight.waiting++;
    try {
      return await beforeAbort(flight.answer, options.signal);
    } finally {
      if (--flight.waiting === 0) {
        this.#end(key, flight);
        flight.giveUp.abort(new Error("nobody waits for the answer"));
      }
    }
  }

  #begin(key: string, host: string, { family, complete, asker = this }: LookupOptions): Flight {
    const share = this.#shares.get(asker) ?? 0;
    if (this.#flights.size >= this.#limits.maxLookups || share >= this.#limits.maxLookupsOfOne) {
      throw this.#tooMany(host, share);
    }
    const giveUp = new AbortController();
    const conf = this.#conf.read();
    const offset = conf.rotate ? this.#offset++ : 0;
    const context = { clock: this.#clock, conf, offset, port: this.#port, sockets: this.#sockets };
    this.#shares.set(asker, share + 1);
    const answer = lookupDns(host, { family, complete }, context, giveUp.signal).finally(() => this.#end(key, flight));
    // Whoever waits learns of a failure; where nobody does any more, nobody needs to.
    answer.catch(() => {});
    const flight: Flight = { answer, giveUp, asker, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  #tooMany(host: string, share: number): LookupError {
    const names = this.#flights.size;
    log.warn("refused to look up {host}: {names} names are being looked up, {share} of them for its link", {
      host,
      names,
      share,
    });
    return new LookupError(
      "too-many",
      host,
      `too many names are being looked up: ${names}, ${share} of them for this link`,
    );
  }

  #end(key: string, flight: Flight): void {
    if (this.#flights.get(key) !== flight) return;
    this.#flights.delete(key);
    this.#shares.set(flight.asker, (this.#shares.get(flight.asker) ?? 1) - 1);
  }

  #lookupBySystem(host: string, { family, port, signal }: LookupOptions): Promise<readonly string[]> {
    return beforeAbort(this.#gate.pass(signal, () => lookupBySystem(host, family, port)), signal);
  }

  /** Whether this system has the files and the sandbox lets them be read. Asking would bring up the runtime's prompt. */
  #readable(): boolean {
    this.#mayRead ??= Deno.build.os === "linux" &&
      Object.values(this.#files).every((path) => granted({ name: "read", path }));
    return this.#mayRead;
  }

  #askable(server: string): boolean {
    let may = this.#mayAsk.get(server);
    if (may === undefined) {
      const any = server.includes(":") ? "[::]:0" : "0.0.0.0:0";
      may = granted({ name: "net", host: any }) &&
        granted({ name: "net", host: formatHostPort(server, this.#port) });
      this.#mayAsk.set(server, may);
      if (!may) {
        log.warn(
          "name server {server} may not be asked by the permission sandbox, which allows those of {file} at the start; " +
            "names are left to the system's resolver, at most {max} at once, until a restart",
          { server, file: this.#files.resolvConf, max: this.#limits.maxSystemLookups },
        );
      }
    }
    return may;
  }
}

function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

function isLocalhost(host: string): boolean {
  return /^(.+\.)?localhost\.?$/i.test(host);
}

function ofFamily(addresses: readonly string[], family: LookupOptions["family"]): readonly string[] {
  return family === 0 ? addresses : addresses.filter((address) => isIP(address) === family);
}
