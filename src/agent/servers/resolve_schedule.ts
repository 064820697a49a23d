import type { ServerSetTimes } from "./server_set_options.ts";

/** When the servers' names are resolved again: sooner while a server is missing, as its address may appear any moment. */
export class ResolveSchedule {
  readonly #times: ServerSetTimes;
  #resolvedAt = -Infinity;
  #running = false;
  #announcedAt = -Infinity;

  constructor(times: ServerSetTimes) {
    this.#times = times;
  }

  /**
   * When the next resolution is due; Infinity while one runs.
   * @param missing a server is known of without a link
   */
  nextAt(now: number, missing: boolean): number {
    if (this.#running) return Infinity;
    const { resolveMs, missingResolveMs, announcedResolveMs, announcedMs } = this.#times;
    if (!missing) return this.#resolvedAt + resolveMs;
    const announced = now - this.#announcedAt < announcedMs;
    return this.#resolvedAt + Math.min(resolveMs, announced ? announcedResolveMs : missingResolveMs);
  }

  /** A resolution begins. */
  begin(now: number): void {
    this.#running = true;
    this.#resolvedAt = now;
  }

  /** The resolution has ended, whatever it found. */
  done(): void {
    this.#running = false;
  }

  /** What was resolved may be outdated: the next resolution is due now. */
  expire(): void {
    this.#resolvedAt = -Infinity;
  }

  /** Another server is announced, whose address may follow within seconds. */
  announced(now: number): void {
    this.#announcedAt = now;
  }
}
