import type { Backend } from "./backend.ts";
import { hostOf, strategies, type StrategyName } from "./strategies.ts";

/** The connected agents, and the choice of one for each dial. */
export class BackendPool {
  readonly #strategies: readonly StrategyName[];
  readonly #backends: Backend[] = [];
  readonly #random: () => number;

  /** @param random uniform in [0, 1); a parameter so that tests can choose */
  constructor(strategyNames: readonly StrategyName[], random: () => number = Math.random) {
    this.#strategies = strategyNames;
    this.#random = random;
  }

  add(backend: Backend): void {
    this.#backends.push(backend);
  }

  remove(backend: Backend): void {
    const at = this.#backends.indexOf(backend);
    if (at >= 0) this.#backends.splice(at, 1);
  }

  get size(): number {
    return this.#backends.length;
  }

  /** The backends now connected. */
  all(): readonly Backend[] {
    return this.#backends;
  }

  /**
   * Chooses a backend for a destination: the strategies in order, each at random among its agents that are not draining;
   * only when every strategy is left with draining agents, one of those.
   */
  pick(address: string): Backend | undefined {
    const host = hostOf(address);
    for (const draining of [false, true]) {
      for (const name of this.#strategies) {
        const fit = this.#backends.filter((backend) =>
          backend.draining === draining && strategies[name](host, backend.info.identifiers)
        );
        const chosen = fit[Math.floor(this.#random() * fit.length)];
        if (chosen !== undefined) return chosen;
      }
    }
    return undefined;
  }
}
