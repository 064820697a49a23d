import type { DialContext } from "../../dial/dial.ts";
import { readHost } from "../../wire/destination/destination_host.ts";
import { parseHostPort } from "../../wire/destination/host_port.ts";
import { connectAddress, connectName, type DialResult } from "./connect_destination.ts";
import { describeRefusal, type DialFailure } from "./dial_failure.ts";

export type { DialResult };

/** Bounds of one dial. */
export interface DialOptions {
  /** Milliseconds for resolving and connecting together. */
  readonly timeoutMs: number;
  /** Gives the dial up; its result is then never looked at. */
  readonly signal: AbortSignal;
  /** Who dials: no link takes more than a share of the look-ups of names in flight. */
  readonly asker?: object;
  /**
   * Says why a destination must not be dialled; undefined: it may be. Asked for a name before it is resolved, without an
   * address, and for every address before it is connected to. Absent: everything may be dialled.
   */
  readonly refusal?: (host: string, port: number, address?: string) => string | undefined;
}

/**
 * Connects to a destination over TCP. Names are resolved here, in the agent; all their addresses are tried, as RFC 8305
 * has it.
 * @param network `tcp`, `tcp4` or `tcp6`; every other name is refused as Go refuses an unknown one
 * @param address host:port
 * @param context whose clock, names and history are used
 */
export function dialTcp(
  network: string,
  address: string,
  options: DialOptions,
  context: DialContext,
): Promise<DialResult> {
  const failed = (failure: DialFailure): DialResult => ({ ok: false, failure });
  const family = network === "tcp" ? 0 : network === "tcp4" ? 4 : network === "tcp6" ? 6 : undefined;
  if (family === undefined) {
    return Promise.resolve(failed({ reason: "unknown", message: `dial ${network}: unknown network ${network}` }));
  }
  const target = parseHostPort(address);
  if (typeof target === "string") {
    return Promise.resolve(failed({ reason: "unknown", message: `dial ${network}: address ${address}: ${target}` }));
  }
  const host = readHost(target.host);
  // Also a host with bytes that the runtime would throw at.
  if (host.kind === "none") {
    return Promise.resolve(failed(
      { reason: "unknown", message: `dial ${network}: lookup ${target.host}: no such host` },
    ));
  }
  if (host.kind === "address" && family !== 0 && host.address.kind() !== `ipv${family}`) {
    const message = `dial ${network}: address ${target.host}: no suitable address found`;
    return Promise.resolve(failed({ reason: "unknown", message }));
  }
  const { refusal } = options;
  const why = refusal?.(target.host, target.port, host.kind === "address" ? host.text : undefined);
  if (why !== undefined) return Promise.resolve(failed(describeRefusal(network, address, why)));
  const dial = { network, address, target, options };
  return host.kind === "address" ? connectAddress(host.text, context.clock, dial) : connectName(family, context, dial);
}
