import { RelayBound } from "../../logging/relay_bound.ts";
import type { Owner } from "../../faults/fault.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { EventOutlet, ProgramEvent } from "./program_event.ts";

/** How long events wait for others that go with them, in milliseconds. */
const batchMs = 20;

/** Characters of one message: the thread that reads it has other things to do, too. */
const messageChars = 64 * 1024;

/** What a worker hands to the command. */
export interface RelayedEvents {
  /** JSON: a list of events. */
  readonly text: string;
  /** What is to be acknowledged of it. */
  readonly chars: number;
  /** Events that were lost behind these. */
  readonly lost: number;
}

/**
 * The events of a worker, on their way to the command. They are made only while somebody watches, and what the command has
 * not read is bounded: what comes on top is lost and counted.
 */
export class EventRelay implements EventOutlet, Owner {
  readonly place = "worker";
  readonly #send: (events: RelayedEvents) => void;
  readonly #clock: Pick<Clock, "after">;
  readonly #bound: RelayBound;
  #wanted: ReadonlySet<string> = new Set();
  #events: string[] = [];
  #chars = 0;
  #lost = 0;
  #flushing: Deadline | undefined;

  /** @param limitChars that the command has not read, at most */
  constructor(send: (events: RelayedEvents) => void, clock: Pick<Clock, "after">, limitChars?: number) {
    this.#send = send;
    this.#clock = clock;
    this.#bound = new RelayBound(limitChars);
  }

  /** {@link Owner}: a batch that could not be sent is lost. */
  faulted(): void {
    this.#lost += this.#events.length;
    this.#events = [];
    this.#chars = 0;
  }

  /** What is watched from now on; nothing where nobody watches. */
  want(types: readonly string[]): void {
    this.#wanted = new Set(types);
  }

  /** The command has read so many characters. */
  acknowledged(chars: number): void {
    this.#bound.acknowledged(chars);
    // Those that are lost are told also where no other event follows.
    if (this.#lost > 0) this.#flushSoon();
  }

  wants(type: string): boolean {
    return this.#wanted.has(type);
  }

  publish(event: ProgramEvent): void {
    if (!this.#wanted.has(event.type)) return;
    const text = JSON.stringify(event);
    if (!this.#bound.admit(text.length)) {
      this.#lost++;
      return;
    }
    // Those that were lost come before this one, and a batch has a place for them at its end alone.
    if (this.#lost > 0) this.#flush();
    this.#events.push(text);
    this.#chars += text.length;
    if (this.#chars >= messageChars) this.#flush();
    else this.#flushSoon();
  }

  #flushSoon(): void {
    this.#flushing ??= this.#clock.after(batchMs, () => this.#flush(), this);
  }

  #flush(): void {
    this.#flushing?.cancel();
    this.#flushing = undefined;
    if (this.#events.length === 0 && this.#lost === 0) return;
    this.#send({ text: `[${this.#events.join(",")}]`, chars: this.#chars, lost: this.#lost });
    this.#events = [];
    this.#chars = 0;
    this.#lost = 0;
  }
}
