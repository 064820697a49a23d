import { getLogger } from "@logtape/logtape";
import { type IpAddress, isLoopback, isUnspecified, parseIp } from "../wire/destination/ip_address.ts";

const log = getLogger(["agent"]);

/**
 * Whether an address is this machine's now: a loopback address, or one of an interface. Where the sandbox does not let
 * the interfaces be seen (`--allow-sys=networkInterfaces`), every address counts as one: what is asked this for is
 * refused then.
 */
export function isLocalAddress(address: IpAddress): boolean {
  if (isLoopback(address) || isUnspecified(address)) return true;
  const text = address.toString();
  try {
    return Deno.networkInterfaces().some((each) => parseIp(each.address)?.toString() === text);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    log.warn("the addresses of this machine cannot be seen: {reason}", { reason: error.message });
    return true;
  }
}
