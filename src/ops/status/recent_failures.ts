import { shown } from "./status_page.ts";

/** A failed dial in `/status`. */
export interface FailureStatus {
  /** ISO 8601, in UTC. */
  readonly time: string;
  /** As the metric of failed dials labels it. */
  readonly reason: string;
  readonly message: string;
  readonly destination: string;
  /** Who asked, where that is known: at the server. */
  readonly client?: string;
}

/** How many are kept. */
const capacity = 50;

/** The last dials that failed. */
export class RecentFailures {
  readonly #failures: FailureStatus[] = [];

  add(failure: Omit<FailureStatus, "time">): void {
    if (this.#failures.length >= capacity) this.#failures.shift();
    const { message, destination } = failure;
    this.#failures.push({
      time: new Date().toISOString(),
      ...failure,
      message: shown(message),
      destination: shown(destination),
    });
  }

  /** The last one first. */
  list(): readonly FailureStatus[] {
    return this.#failures.toReversed();
  }
}
