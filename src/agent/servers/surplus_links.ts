import type { ServerConnection } from "./server_connection.ts";

/** Lower for a link that can be missed sooner. */
function rank({ link }: ServerConnection): number {
  return link.serverDraining ? -1 : link.load;
}

/** Watches for more links than servers, and chooses those to retire. */
export class SurplusLinks {
  readonly #surplusMs: number;
  #since: number | undefined;

  /** @param surplusMs how long there must be a surplus before a link is retired */
  constructor(surplusMs: number) {
    this.#surplusMs = surplusMs;
  }

  /** When a link is to be chosen; Infinity while there is no surplus. */
  get nextAt(): number {
    return this.#since === undefined ? Infinity : this.#since + this.#surplusMs;
  }

  /**
   * The link to retire now, if any: one to a server that is about to end, which is no longer counted, else the one with the
   * fewest tunnels. To be called again once it is retired.
   */
  choose(
    connections: ReadonlyMap<string, ServerConnection>,
    allowed: number,
    now: number,
  ): ServerConnection | undefined {
    if (connections.size <= allowed) {
      this.#since = undefined;
      return undefined;
    }
    this.#since ??= now;
    if (now < this.nextAt) return undefined;
    let least: ServerConnection | undefined;
    for (const connection of connections.values()) {
      if (least === undefined || rank(connection) < rank(least)) least = connection;
    }
    return least;
  }
}
