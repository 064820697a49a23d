import { aggregateServerCount, type ServerCounter, type ServerCountSource } from "./server_count.ts";

/** How many servers there are, as far as this agent knows, and when it should ask one again. */
export class KnownServerCount {
  readonly #source: ServerCountSource;
  readonly #counter: ServerCounter | undefined;
  readonly #recheckMs: number;
  readonly #random: () => number;
  /** The report of the server that answered last, for the time when there is no link. */
  #lastReported = 0;
  #recheckAt = Infinity;

  /**
   * @param recheckMs how long after an answer another server is asked, with up to half as much jitter; 0: never
   * @param random uniform in [0, 1)
   */
  constructor(
    source: ServerCountSource,
    counter: ServerCounter | undefined,
    recheckMs: number,
    random: () => number,
  ) {
    this.#source = source;
    this.#counter = counter;
    this.#recheckMs = recheckMs;
    this.#random = random;
  }

  /** @param linked the linked servers, each with its latest report */
  of(linked: Iterable<{ readonly serverCount: number }>): number {
    let reported = 0;
    for (const { serverCount } of linked) reported = Math.max(reported, serverCount);
    return aggregateServerCount(
      this.#source,
      reported === 0 ? this.#lastReported : reported,
      this.#counter?.count(),
    );
  }

  /** When a complete set should ask a server again; Infinity where the counter alone decides. */
  get recheckAt(): number {
    return this.#recheckAt;
  }

  /** A server answered, and reported that there are `serverCount`. */
  answered(now: number, serverCount?: number): void {
    if (serverCount !== undefined) this.#lastReported = serverCount;
    const asked = this.#counter === undefined || this.#source === "max";
    // Jitter, so that agents do not all ask at once.
    const waitMs = asked ? this.#recheckMs * (1 + this.#random() / 2) : 0;
    this.#recheckAt = waitMs > 0 ? now + waitMs : Infinity;
  }
}
