import { isIP } from "node:net";
import type { Clock } from "../runtime/clock.ts";

/** More addresses of one name than these are not tried: whoever owns a name would else have a whole network dialled. */
const maxAddresses = 32;

/**
 * The order in which the addresses of a name are tried (RFC 8305 section 4): the families take turns, so that one that
 * leads nowhere costs one attempt, and within each family the name server's order counts, which spreads load.
 */
export function attemptOrder(addresses: readonly string[], first: 4 | 6): readonly string[] {
  const ipv6 = addresses.filter((address) => isIP(address) === 6);
  const ipv4 = addresses.filter((address) => isIP(address) !== 6);
  const [ahead, behind] = first === 6 ? [ipv6, ipv4] : [ipv4, ipv6];
  const order: string[] = [];
  for (let i = 0; i < Math.max(ahead.length, behind.length); i++) {
    order.push(...ahead.slice(i, i + 1), ...behind.slice(i, i + 1));
  }
  return order.slice(0, maxAddresses);
}

/** How long it counts that one family led somewhere and the other did not, in milliseconds: RFC 8305 section 4. */
const rememberedMs = 600_000;

/** Which family is tried first: IPv6, unless IPv4 was the one that led somewhere of late. */
export class FamilyHistory {
  readonly #clock: Clock;
  #ipv4Until = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get first(): 4 | 6 {
    return this.#clock.now() < this.#ipv4Until ? 4 : 6;
  }

  /**
   * A name with addresses of both families was connected to.
   * @param tried the addresses that had been tried by then, in order
   * @param refused addresses whose machine answered that nobody listens: their family leads somewhere
   */
  connected(address: string, tried: readonly string[], refused: ReadonlySet<string>): void {
    const family = isIP(address);
    if (tried.every((each) => isIP(each) === family || refused.has(each))) return;
    this.#ipv4Until = family === 4 ? this.#clock.now() + rememberedMs : -Infinity;
  }
}
