import { fault, type FaultPlace, type Owner } from "./fault.ts";

/** An owner for callbacks that belong to nothing with a class of its own. */
export function ownerOf(place: FaultPlace, faulted: (error: Error) => void = () => {}): Owner {
  return { place, faulted };
}

/** A callback as the runtime calls it. */
type Anything = (a: unknown, b: unknown, c: unknown, d: unknown) => void;

/**
 * A callback for the runtime (an event of a socket or server, a timer, a microtask, a signal): what it throws ends its
 * owner, where it would else end the process. One closure for each registration, none for each call. It hands on four
 * arguments, which is the most that an event has.
 */
export function owned<Args extends unknown[]>(
  owner: Owner,
  callback: (...args: Args) => void,
): (...args: Args) => void {
  // Rest parameters would make an array for each call; what is handed on is what the caller gave, whatever its type.
  const call = callback as unknown as Anything;
  const guarded: Anything = (a, b, c, d) => {
    try {
      call(a, b, c, d);
    } catch (error) {
      fault(owner, error);
    }
  };
  return guarded as unknown as (...args: Args) => void;
}

/** The same where the owner comes with the call: a listener's connection, a session's stream. */
export function ownedBy<Subject, Args extends unknown[]>(
  ownerOfSubject: (subject: Subject) => Owner,
  callback: (subject: Subject, ...args: Args) => void,
): (subject: Subject, ...args: Args) => void {
  const call = callback as unknown as Anything;
  const guarded: Anything = (subject, b, c, d) => {
    try {
      call(subject, b, c, d);
    } catch (error) {
      fault(ownerOfSubject(subject as Subject), error);
    }
  };
  return guarded as unknown as (subject: Subject, ...args: Args) => void;
}

/**
 * The same where the emitter itself carries the owner: one function listens to all emitters of a kind, where a closure for
 * each event of each socket would be made for every connection.
 */
export function ownedByEmitter<Emitter, Own extends Owner>(
  ownerOfEmitter: (emitter: Emitter) => Own | undefined,
  callback: (owner: Own, argument: unknown) => void,
): (this: Emitter, argument?: unknown) => void {
  return function (this: Emitter, argument?: unknown) {
    const owner = ownerOfEmitter(this);
    if (owner === undefined) return;
    try {
      callback(owner, argument);
    } catch (error) {
      fault(owner, error);
    }
  };
}

/** The owner of what a listener does with a connection: the connection. */
export function connectionOwner(connection: { destroy(): unknown }): Owner {
  return new ConnectionOwner(connection);
}

class ConnectionOwner implements Owner {
  readonly place = "connection";
  readonly #connection: { destroy(): unknown };

  constructor(connection: { destroy(): unknown }) {
    this.#connection = connection;
  }

  faulted(): void {
    this.#connection.destroy();
  }
}

/** The same for a callback that is asynchronous; the runtime does not wait for it. */
export function ownedAsync<Args extends unknown[]>(
  owner: Owner,
  callback: (...args: Args) => Promise<void>,
): (...args: Args) => void {
  return (...args) => void callback(...args).catch((error) => fault(owner, error));
}

/** Work that nobody waits for: its rejection ends its owner. */
export function follow(owner: Owner, work: Promise<unknown>): void {
  work.catch((error) => fault(owner, error));
}

/** Runs a step now: what it throws ends its owner, and the caller goes on. */
export function guard(owner: Owner, step: () => void): void {
  try {
    step();
  } catch (error) {
    fault(owner, error);
  }
}
