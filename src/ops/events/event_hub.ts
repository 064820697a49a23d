import { getLogger } from "@logtape/logtape";
import type { Owner } from "../../faults/fault.ts";
import { guard } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { programEntry, type ProgramFacts } from "../status/program_status.ts";
import { shown } from "../status/status_page.ts";
import type { EventQuery, EventVocabulary } from "./event_query.ts";
import { EventWatch, EventWatchError, type EventWatchLimits } from "./event_watch.ts";
import type { EventOutlet, HelloEvent, LostEvent, ProgramEvent, ReadinessEvent } from "./program_event.ts";

const log = getLogger(["ops", "events"]);

/** Bounds of all watches of a program. */
export interface EventLimits extends EventWatchLimits {
  readonly watches: number;
  /** Events of so many milliseconds go out together. */
  readonly batchMs: number;
  /** How often it is looked whether a watch needs a heartbeat, or is to be ended, in milliseconds. */
  readonly tickMs: number;
}

/** The defaults: 8 MiB of text for all watches together, where none of them is read and each asks for other things. */
export const eventLimits: EventLimits = {
  watches: 16,
  queue: { events: 4_096, chars: 512 * 1024 },
  pieceChars: 64 * 1024,
  batchMs: 20,
  tickMs: 5_000,
  heartbeatMs: 15_000,
  stalledMs: 60_000,
};

/** What the events of a program are about. */
export interface EventHubOptions {
  readonly facts: Pick<ProgramFacts, "name" | "version" | "notReady">;
  /** The server's or the agent's own. */
  readonly id: string;
  readonly vocabulary: EventVocabulary;
  readonly clock: Clock;
  /**
   * Called when other types than before are watched; none: nobody watches any more.
   * @returns fulfilled when all are made from then on; never rejects
   */
  readonly onWanted?: (types: readonly string[]) => void | Promise<void>;
  readonly limits?: EventLimits;
}

/**
 * Hands the events of a program to whoever watches them. While nobody does it wants none, and has neither a timer nor
 * anything that it remembers: nothing is replayed.
 */
export class EventHub implements EventOutlet, Owner, Disposable {
  readonly place = "request";
  readonly vocabulary: EventVocabulary;
  readonly #options: EventHubOptions;
  readonly #limits: EventLimits;
  readonly #watches = new Set<EventWatch>();
  #wanted: ReadonlySet<string> = new Set();
  #heard: Promise<void> = Promise.resolve();
  /** Of the last event; the numbers of all watches are the same. */
  #number = 0;
  #notReady: string | undefined;
  #flushing: Deadline | undefined;
  #ticking: Deadline | undefined;
  #closed = false;

  constructor(options: EventHubOptions) {
    this.#options = options;
    this.vocabulary = options.vocabulary;
    this.#limits = options.limits ?? eventLimits;
  }

  /** Watches that are open. */
  get size(): number {
    return this.#watches.size;
  }

  /** {@link Owner}: what becomes of a watch whose flush failed is not known, so that all of them are ended. */
  faulted(): void {
    for (const watch of [...this.#watches]) this.#drop(watch, new EventWatchError("closed", "internal error"));
  }

  // ---- for readers ----

  /** Begins a watch, with a hello. @returns why there is none */
  watch(query: EventQuery): EventWatch | "full" | "closed" {
    if (this.#closed) return "closed";
    if (this.#watches.size >= this.#limits.watches) return "full";
    const { facts, clock } = this.#options;
    const watch: EventWatch = new EventWatch(
      query,
      this.#limits,
      clock.now,
      (count) => this.#lostFrame(count),
      () => this.#remove(watch),
    );
    const notReady = facts.notReady();
    if (this.#watches.size === 0) {
      this.#notReady = notReady;
      this.#tickSoon();
    }
    this.#watches.add(watch);
    const { name, version, startedAt } = programEntry(facts);
    const hello: HelloEvent = {
      type: "hello",
      time: this.#time,
      version: 1,
      program: { name, version, startedAt },
      id: shown(this.#options.id),
      ...readiness(notReady),
    };
    watch.queue.push(frame(hello));
    this.#rewant();
    return watch;
  }

  /** Fulfilled when whoever makes events knows which are watched: from then on a watch misses none. */
  get heard(): Promise<void> {
    return this.#heard;
  }

  /** Ends all watches; what waits for those that are read goes out before. */
  close(): void {
    this.#closed = true;
    for (const watch of [...this.#watches]) {
      this.#remove(watch);
      guard(this, () => watch.close());
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ---- for the program ----

  wants(type: string): boolean {
    return this.#wanted.has(type);
  }

  publish(event: ProgramEvent): void {
    if (!this.#wanted.has(event.type)) return;
    const number = ++this.#number;
    let text: string | undefined;
    for (const { query, queue } of this.#watches) {
      if (!query.matches(event)) continue;
      if (queue.full) queue.lose(1);
      else queue.push(text ??= frame(event, number));
    }
    if (text !== undefined) this.#flushSoon();
  }

  /** Events did not get here. @param worker who could not hand them on */
  lost(count: number, worker: number): void {
    const text = this.#lostFrame(count, worker);
    for (const { queue } of this.#watches) queue.push(text, count);
    this.#flushSoon();
  }

  /** What {@link ProgramFacts.notReady} says may have changed. */
  readinessChanged(): void {
    if (this.#watches.size === 0) return;
    const notReady = this.#options.facts.notReady();
    if (notReady === this.#notReady) return;
    this.#notReady = notReady;
    const event: ReadinessEvent = { type: "readiness", time: this.#time, ...readiness(notReady) };
    this.publish(event);
  }

  // ---- own ----

  #remove(watch: EventWatch): void {
    if (!this.#watches.delete(watch)) return;
    if (this.#watches.size === 0) {
      this.#ticking?.cancel();
      this.#flushing?.cancel();
      this.#flushing = undefined;
    }
    this.#rewant();
  }

  #rewant(): void {
    const wanted = new Set<string>();
    for (const { query } of this.#watches) for (const type of query.types) wanted.add(type);
    if (wanted.symmetricDifference(this.#wanted).size === 0) return;
    this.#wanted = wanted;
    this.#heard = this.#options.onWanted?.([...wanted]) ?? Promise.resolve();
  }

  #flushSoon(): void {
    this.#flushing ??= this.#options.clock.after(this.#limits.batchMs, () => {
      this.#flushing = undefined;
      for (const watch of this.#watches) watch.flush();
    }, this);
  }

  #tickSoon(): void {
    const { tickMs } = this.#limits;
    this.#ticking = this.#options.clock.after(tickMs, () => {
      for (const watch of [...this.#watches]) this.#tick(watch);
      if (this.#watches.size > 0) this.#tickSoon();
      // Some of what makes a program ready or not is reported by nobody.
      this.readinessChanged();
    }, this);
  }

  #tick(watch: EventWatch): void {
    const { tickMs, stalledMs } = this.#limits;
    if (!watch.stalled) return watch.beat(tickMs);
    const seconds = stalledMs / 1000;
    log.info("a watch of events is ended: its reader has taken nothing for {seconds} s", { seconds });
    this.#drop(watch, new EventWatchError("stalled", `the reader has taken nothing for ${seconds} s`));
  }

  #drop(watch: EventWatch, error: EventWatchError): void {
    this.#remove(watch);
    watch.fail(error);
  }

  #lostFrame(count: number, worker?: number): string {
    const event: LostEvent = { type: "lost", time: this.#time, count, ...(worker === undefined ? {} : { worker }) };
    return frame(event);
  }

  get #time(): string {
    return new Date(this.#options.clock.timeOfDay()).toISOString();
  }
}

function readiness(notReady: string | undefined): Pick<ReadinessEvent, "ready" | "notReady"> {
  return { ready: notReady === undefined, ...(notReady === undefined ? {} : { notReady }) };
}

/** An event as it is sent. JSON has no line break outside of its texts and none in them, so that no text ends it. */
function frame(event: { readonly type: string }, number?: number): string {
  return `${number === undefined ? "" : `id: ${number}\n`}data: ${JSON.stringify(event)}\n\n`;
}
