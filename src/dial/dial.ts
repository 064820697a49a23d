import { isIP, type Socket, type TcpNetConnectOpts } from "node:net";
import type { Owner } from "../faults/fault.ts";
import { follow } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import { attemptOrder, type FamilyHistory } from "./address_order.ts";
import { AddressRace, type AttemptFailure, type RaceHandler } from "./address_race.ts";
import type { NameResolver } from "./name_resolver.ts";

/** Where to connect to. */
export interface DialTarget {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** 0: both families. */
  readonly family: 0 | 4 | 6;
  /** Addresses that are known to be of no use. */
  readonly except?: ReadonlySet<string>;
  /** Says why an address that the name leads to must not be dialled; undefined: it may be. */
  readonly refusal?: (address: string) => string | undefined;
}

/** What says how to connect to one address: for node:net and node:tls alike. */
export type AddressOptions = Pick<
  TcpNetConnectOpts,
  "host" | "port" | "family" | "autoSelectFamily" | "autoSelectFamilyAttemptTimeout"
>;

/** Begins to connect to one address. */
export type OpenSocket<S extends Socket> = (options: AddressOptions) => S;

/** What dials share. */
export interface DialContext {
  readonly clock: Clock;
  readonly resolver: NameResolver;
  readonly history: FamilyHistory;
}

/** How a dial ends; one of them is called once, unless it is cancelled. */
export interface DialHandler<S> extends RaceHandler<S> {
  /** It is not known where to connect to. */
  onUnresolved(error: Error): void;
  /** No address that the name leads to may be dialled. */
  onRefused(why: string): void;
}

/** Where the sandbox leaves it to the runtime to try the addresses of a name: how long each may take, in milliseconds. */
const runtimeAttemptMs = 2_000;

/** One dial: resolves a name, and connects to one of its addresses. It has no deadline of its own. */
export class Dial<S extends Socket> {
  readonly #target: DialTarget;
  readonly #open: OpenSocket<S>;
  readonly #context: DialContext;
  readonly #handler: DialHandler<S>;
  readonly #owner: Owner;
  readonly #asker: object | undefined;
  #lookup: AbortController | undefined;
  #race: AddressRace<S> | undefined;

  /**
   * @param owner ends when a callback throws
   * @param asker who takes a share of the look-ups in flight
   */
  constructor(
    target: DialTarget,
    open: OpenSocket<S>,
    context: DialContext,
    handler: DialHandler<S>,
    owner: Owner,
    asker?: object,
  ) {
    this.#target = target;
    this.#open = open;
    this.#context = context;
    this.#handler = handler;
    this.#owner = owner;
    this.#asker = asker;
  }

  /** The name is being resolved still. */
  get resolving(): boolean {
    return this.#lookup !== undefined;
  }

  /** Attempts that have failed by now. */
  get failures(): readonly AttemptFailure[] {
    return this.#race?.failures ?? [];
  }

  begin(): void {
    const { host } = this.#target;
    if (isIP(host) !== 0) this.#connect([host]);
    else follow(this.#owner, this.#resolve());
  }

  cancel(): void {
    this.#lookup?.abort(new Error("dial was given up"));
    this.#race?.cancel();
  }

  async #resolve(): Promise<void> {
    const { host, port, family } = this.#target;
    const lookup = new AbortController();
    this.#lookup = lookup;
    let addresses: readonly string[];
    try {
      const options = { family, port, complete: false, signal: lookup.signal };
      addresses = await this.#context.resolver.lookup(
        host,
        this.#asker === undefined ? options : { ...options, asker: this.#asker },
      );
    } catch (error) {
      if (lookup.signal.aborted) return;
      this.#lookup = undefined;
      this.#handler.onUnresolved(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (lookup.signal.aborted) return;
    this.#lookup = undefined;
    this.#choose(addresses);
  }

  #choose(addresses: readonly string[]): void {
    const { except, refusal } = this.#target;
    let why: string | undefined;
    const allowed = addresses.filter((address) => {
      const each = refusal?.(address);
      why ??= each;
      return each === undefined && except?.has(address) !== true;
    });
    if (allowed.length > 0) this.#connect(attemptOrder(allowed, this.#context.history.first));
    else if (why !== undefined) this.#handler.onRefused(why);
    else this.#handler.onFailed([]);
  }

  #connect(addresses: readonly string[]): void {
    const { port } = this.#target;
    const race = new AddressRace(
      addresses,
      (host) => this.#open({ host, port, autoSelectFamily: false }),
      {
        onConnected: (socket, address, others) => {
          if (addresses.length > 1) {
            const refused = race.failures.filter(({ error }) => Reflect.get(error, "code") === "ECONNREFUSED");
            this.#context.history.connected(address, race.tried, new Set(refused.map((each) => each.address)));
          }
          this.#handler.onConnected(socket, address, others);
        },
        onFailed: (failures) => this.#allFailed(failures),
      },
      this.#context.clock,
      this.#owner,
    );
    this.#race = race;
    race.begin();
  }

  /** The sandbox may allow a name and none of its addresses. Then nobody but the runtime can connect to them. */
  #allFailed(failures: readonly AttemptFailure[]): void {
    const { host, except, refusal } = this.#target;
    const refused = failures.every(({ error }) => error instanceof Deno.errors.NotCapable);
    // The runtime asks nobody about the addresses that it finds.
    const byName = refused && refusal === undefined && isIP(host) === 0 && except?.has(host) !== true;
    if (!byName) return this.#handler.onFailed(failures);
    follow(this.#owner, this.#connectByName(host));
  }

  /** The runtime resolves the name once more, in a thread of its own; hence the gate. */
  async #connectByName(host: string): Promise<void> {
    const { port, family } = this.#target;
    const lookup = new AbortController();
    this.#lookup = lookup;
    const open = (name: string) =>
      this.#open({
        host: name,
        port,
        ...(family === 0 ? {} : { family }),
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: runtimeAttemptMs,
      });
    const connected = (end: () => void): RaceHandler<S> => ({
      onConnected: (socket, address, others) => {
        end();
        this.#handler.onConnected(socket, address, others);
      },
      onFailed: (failures) => {
        end();
        this.#handler.onFailed(failures);
      },
    });
    try {
      await this.#context.resolver.gate.pass(lookup.signal, () => {
        this.#lookup = undefined;
        return new Promise<void>((resolve) => {
          let socket: S | undefined;
          const opened = (name: string) => {
            socket = open(name);
            // The thread is free again, whatever becomes of the connection.
            socket.once("lookup", () => resolve()).once("close", () => resolve());
            return socket;
          };
          this.#race = new AddressRace([host], opened, connected(resolve), this.#context.clock, this.#owner);
          this.#race.begin();
        });
      });
    } catch {
      // Cancelled while it waited: nobody waits for its end.
    }
  }
}
