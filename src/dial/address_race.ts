import type { Socket } from "node:net";
import type { Owner } from "../faults/fault.ts";
import { owned } from "../faults/owned.ts";
import type { Clock, Deadline } from "../runtime/clock.ts";

/** Time between the starts of two attempts: RFC 8305 section 5, in milliseconds. */
const attemptDelayMs = 250;

/** An attempt that led nowhere. */
export interface AttemptFailure {
  readonly address: string;
  readonly error: Error;
}

/** How a race ended; one of them is called once, unless it is given up. */
export interface RaceHandler<S> {
  /**
   * The socket is its owner's from now on, errors included; every other attempt is given up.
   * @param others addresses that might have been reached too
   */
  onConnected(socket: S, address: string, others: number): void;
  /** Every attempt failed, at least one. */
  onFailed(failures: readonly AttemptFailure[]): void;
}

/**
 * Connects to one of several addresses (RFC 8305): an attempt starts 250 ms after the one before it, or as soon as one
 * fails; they go on side by side, and the first that connects wins. The runtime's own `autoSelectFamily` aborts an attempt
 * when the next begins, so that no line with a long round trip, and no lost SYN, ever gets through it.
 */
export class AddressRace<S extends Socket> {
  readonly #addresses: readonly string[];
  readonly #open: (address: string) => S;
  readonly #handler: RaceHandler<S>;
  readonly #clock: Clock;
  readonly #owner: Owner;
  /** Attempts that are in flight, with what takes their listeners away. */
  readonly #attempts = new Map<S, () => void>();
  readonly #failures: AttemptFailure[] = [];
  #started = 0;
  #delay: Deadline | undefined;
  #over = false;

  /**
   * @param addresses at least one, in the order of attempts
   * @param open begins to connect to one of them
   * @param owner ends when a callback throws
   */
  constructor(
    addresses: readonly string[],
    open: (address: string) => S,
    handler: RaceHandler<S>,
    clock: Clock,
    owner: Owner,
  ) {
    this.#addresses = addresses;
    this.#open = open;
    this.#handler = handler;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Addresses that have been tried. */
  get tried(): readonly string[] {
    return this.#addresses.slice(0, this.#started);
  }

  /** Attempts that have failed by now. */
  get failures(): readonly AttemptFailure[] {
    return this.#failures;
  }

  begin(): void {
    this.#attempt();
  }

  /** Gives all attempts up. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#delay?.cancel();
    for (const [socket, forget] of this.#attempts) {
      forget();
      // A destroyed socket may still report an error, and nobody would be there to take it.
      socket.on("error", () => {});
      socket.destroy();
    }
    this.#attempts.clear();
  }

  #attempt(): void {
    this.#delay?.cancel();
    const address = this.#addresses[this.#started];
    if (address === undefined) return;
    this.#started++;
    if (this.#started < this.#addresses.length) {
      this.#delay = this.#clock.after(attemptDelayMs, () => this.#attempt(), this.#owner);
    }
    let socket: S;
    try {
      socket = this.#open(address);
    } catch (error) {
      return this.#failed(address, error instanceof Error ? error : new Error(String(error)));
    }
    const onConnect = owned(this.#owner, () => {
      forget();
      this.#attempts.delete(socket);
      this.cancel();
      this.#handler.onConnected(socket, address, this.#addresses.length - this.#failures.length - 1);
    });
    const onError = owned(this.#owner, (error: Error) => {
      forget();
      this.#attempts.delete(socket);
      socket.on("error", () => {});
      socket.destroy();
      this.#failed(address, error);
    });
    const forget = () => {
      socket.off("connect", onConnect).off("error", onError);
    };
    this.#attempts.set(socket, forget);
    socket.once("connect", onConnect).once("error", onError);
  }

  #failed(address: string, error: Error): void {
    if (this.#over) return;
    this.#failures.push({ address, error });
    if (this.#started < this.#addresses.length) return this.#attempt();
    if (this.#attempts.size > 0) return;
    this.#over = true;
    this.#handler.onFailed(this.#failures);
  }
}
