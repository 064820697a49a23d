import { Code, ConnectError } from "@connectrpc/connect";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import { refusalHeaders } from "./call_route.ts";
import { edgeLimits } from "../edge/edge_limits.ts";

/** Why a call was refused that a listener would serve at another time; the label of a metric. */
export const callRefusals = [
  /** The connection has as many requests with the router as one may have. */
  "routed_of_connection",
  /** So has the listener. */
  "routed_of_listener",
  /** The connection has as many calls of small messages open, such as health checks, as one may have. */
  "messages",
  /** The connection carries as many links of agents as one may carry. */
  "links",
  /** The connection, or all of the peer's, watch as often as they may. */
  "watches",
] as const;

export type CallRefusal = typeof callRefusals[number];

/** What a listener's calls take at once. */
export class CallBudget {
  #routed = 0;

  /** Begins to count for one more connection. */
  connection(): ConnectionBudget {
    return new ConnectionBudget(this);
  }

  /** Takes a request to the router; false when there are too many. Called by a connection's budget. */
  takeRouted(): boolean {
    if (this.#routed >= edgeLimits.routedCalls) return false;
    this.#routed++;
    return true;
  }

  releaseRouted(): void {
    this.#routed--;
  }
}

/** What the calls of one connection take at once. Each `take` that succeeds has one `release`. */
export class ConnectionBudget {
  readonly #listener: CallBudget;
  #routed = 0;
  #messages = 0;
  #calls = 0;
  #refused = 0;

  constructor(listener: CallBudget) {
    this.#listener = listener;
  }

  /** @returns why the request cannot go to the router now */
  takeRouted(): CallRefusal | undefined {
    if (this.#routed >= edgeLimits.routedCallsOfConnection) return "routed_of_connection";
    if (!this.#listener.takeRouted()) return "routed_of_listener";
    this.#routed++;
    return undefined;
  }

  releaseRouted(): void {
    this.#routed--;
    this.#listener.releaseRouted();
  }

  takeMessage(): boolean {
    if (this.#messages >= edgeLimits.messageCallsOfConnection) return false;
    this.#messages++;
    return true;
  }

  releaseMessage(): void {
    this.#messages--;
  }

  /** Takes a refused request whose client may still send; false where it is to be reset at once. */
  takeRefused(): boolean {
    if (this.#refused >= edgeLimits.refusedCallsOfConnection) return false;
    this.#refused++;
    return true;
  }

  releaseRefused(): void {
    this.#refused--;
  }

  /** Takes a call of a packet service that bounds them. @param max of one connection */
  takeCall(max: number): boolean {
    if (this.#calls >= max) return false;
    this.#calls++;
    return true;
  }

  releaseCall(): void {
    this.#calls--;
  }
}

const refusals = new Map<number, readonly HeaderField[]>();

/** How a call beyond a bound of its connection is refused. Made once: a peer may have thousands refused at once. */
export function tooManyCalls(max: number): readonly HeaderField[] {
  let headers = refusals.get(max);
  if (headers === undefined) {
    const why = `connection has ${max} calls of this kind already, open another one`;
    headers = refusalHeaders(new ConnectError(why, Code.ResourceExhausted));
    refusals.set(max, headers);
  }
  return headers;
}
