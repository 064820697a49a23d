import type { Socket } from "node:net";
import { owned, ownerOf } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import { FamilyHistory } from "./address_order.ts";
import type { AttemptFailure } from "./address_race.ts";
import { attemptsError } from "./attempts_error.ts";
import { Dial, type DialContext, type DialTarget, type OpenSocket } from "./dial.ts";
import { NameResolver } from "./name_resolver.ts";

/** A connection, and the address that it leads to. */
export interface Connected<S> {
  readonly socket: S;
  readonly address: string;
  /** Addresses that might have been reached too. */
  readonly others: number;
  /** Attempts that failed before. */
  readonly failures: readonly AttemptFailure[];
}

/**
 * Who dials. Each has a resolver of its own, so that names which its clients ask for keep an agent neither from its servers
 * nor from the Kubernetes API.
 * - `links`: what this program itself must reach: proxy servers, the Kubernetes API, and proxies on the way there
 * - `destinations`: what clients ask for
 */
export type DialPurpose = "links" | "destinations";

/** A program has one clock. */
const contexts = new WeakMap<Clock, Map<DialPurpose, DialContext>>();

/** What all dials of one purpose share in this process, as far as they live on one clock. */
export function dialContext(purpose: DialPurpose, clock: Clock): DialContext {
  const ofClock = contexts.get(clock) ?? new Map<DialPurpose, DialContext>();
  contexts.set(clock, ofClock);
  let context = ofClock.get(purpose);
  if (context === undefined) {
    context = { clock, resolver: new NameResolver({ clock }), history: new FamilyHistory(clock) };
    ofClock.set(purpose, context);
  }
  return context;
}

/**
 * Connects to a host by one of its addresses. The socket has no listener for errors when this is fulfilled.
 * @throws {LookupError} the error of the attempt, or an `AttemptsError` where several failed; the signal's reason when it
 * aborts
 */
export function connectTo<S extends Socket>(
  target: DialTarget,
  open: OpenSocket<S>,
  signal: AbortSignal,
  context: DialContext,
): Promise<Connected<S>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const end = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const owner = ownerOf("dial", (error) => {
      dial.cancel();
      end(() => reject(error));
    });
    const dial = new Dial(target, open, context, {
      onConnected: (socket, address, others) => {
        // Its owner comes later, and an error that nobody listens for would end the process.
        socket.on("error", () => {});
        end(() => resolve({ socket, address, others, failures: dial.failures }));
      },
      onUnresolved: (error) => end(() => reject(error)),
      onRefused: (why) => end(() => reject(new Error(why))),
      onFailed: (failures) => end(() => reject(attemptsError(failures))),
    }, owner);
    const onAbort = owned(owner, () => {
      dial.cancel();
      end(() => reject(signal.reason));
    });
    signal.addEventListener("abort", onAbort);
    dial.begin();
  });
}
