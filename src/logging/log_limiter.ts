import type { LogLevel, LogRecord } from "@logtape/logtape";
import { owned, ownerOf } from "../faults/owned.ts";
import { logMessage } from "./log_values.ts";

/** How often the counts of suppressed lines are checked, in milliseconds; the shortest time that a summary speaks of. */
export const sweepIntervalMs = 10_000;

/** How often one and the same message is written. */
interface RepeatRule {
  /** Lines within `withinMs`; the others are counted, and summed up in one line afterwards. */
  readonly lines: number;
  readonly withinMs: number;
}

/** A warning that repeats (an agent that is refused every second) is written once a minute. */
const repeatRules: Readonly<Partial<Record<LogLevel, RepeatRule>>> = {
  info: { lines: 3, withinMs: sweepIntervalMs },
  warning: { lines: 1, withinMs: 60_000 },
  error: { lines: 1, withinMs: 60_000 },
};

/** How many lines of one kind, whatever values they name, are written at once and in the long run. */
interface KindBudget {
  readonly burst: number;
  readonly perSecond: number;
}

/** Peers choose values: an agent that comes and goes under ever new names must not fill a disk. */
export const kindBudget: KindBudget = { burst: 200, perSecond: 20 };
/** Whoever asks for these levels wants to see more. */
export const debugBudget: KindBudget = { burst: 2_000, perSecond: 200 };

/** Different messages, and different kinds, that are counted apart; past it they count as one. */
const keyLimit = 1_000;

/** Starts something later and returns how to call it off; a parameter so that tests need not wait. */
export type Schedule = (run: () => void, delayMs: number) => () => void;

/** What was not written since the last line of its like. */
interface Held {
  count: number;
  last: LogRecord;
}

interface Message extends Held {
  readonly rule: RepeatRule;
  since: number;
  lines: number;
}

interface Kind extends Held {
  tokens: number;
  at: number;
}

/**
 * Keeps what peers can cause from filling the log. A message that repeats is written a few times, messages of one kind
 * (level, category and template) as far as a budget allows; what is suppressed is counted, and summed up in one line, which is the
 * last of them with the number in its text and in its property `repeated`.
 */
export class LogLimiter {
  readonly #emit: (record: LogRecord) => void;
  readonly #schedule: Schedule;
  readonly #now: () => number;
  readonly #messages = new Map<string, Message>();
  readonly #kinds = new Map<string, Kind>();
  #cancelSweep: (() => void) | undefined;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    emit: (record: LogRecord) => void,
    schedule: Schedule = scheduleUnreferenced,
    now: () => number = () => performance.now(),
  ) {
    this.#emit = emit;
    this.#schedule = schedule;
    this.#now = now;
  }

  /** Emits the record, or counts it. */
  log(record: LogRecord): void {
    // The last word of a process.
    if (record.level === "fatal") return this.#emit(record);
    const rule = repeatRules[record.level];
    const about = `${record.level} ${record.category.join("/")} `;
    const key = rule === undefined ? "" : about + logMessage(record);
    const known = rule === undefined ? undefined : this.#messages.get(key);
    if (known !== undefined && known.lines >= known.rule.lines) {
      known.count++;
      known.last = record;
      return;
    }
    if (!this.#take(about, record)) return;
    if (known !== undefined) known.lines++;
    else if (rule !== undefined && this.#messages.size < keyLimit) {
      this.#messages.set(key, { rule, since: this.#now(), lines: 1, count: 0, last: record });
    }
    this.#emit(record);
  }

  /** Emits what has been counted and forgets everything. */
  flush(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    for (const held of [...this.#messages.values(), ...this.#kinds.values()]) this.#summarize(held, undefined);
    this.#messages.clear();
    this.#kinds.clear();
  }

  /** Takes a line of a kind; false when there have been too many. */
  #take(about: string, record: LogRecord): boolean {
    const { burst, perSecond } = record.level === "debug" || record.level === "trace" ? debugBudget : kindBudget;
    const template = typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("{}");
    const key = this.#kinds.size < keyLimit || this.#kinds.has(about + template) ? about + template : about;
    const now = this.#now();
    const kind = this.#kinds.get(key) ?? { tokens: burst, at: now, count: 0, last: record };
    this.#kinds.set(key, kind);
    this.#cancelSweep ??= this.#schedule(() => this.#sweep(), sweepIntervalMs);
    kind.tokens = Math.min(burst, kind.tokens + (now - kind.at) / 1000 * perSecond);
    kind.at = now;
    if (kind.tokens >= 1) {
      kind.tokens--;
      return true;
    }
    kind.count++;
    kind.last = record;
    return false;
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const now = this.#now();
    for (const [key, message] of this.#messages) {
      if (now - message.since < message.rule.withinMs) continue;
      const summarized = this.#summarize(message, message.rule.withinMs);
      if (!summarized) this.#messages.delete(key);
      message.since = now;
      message.lines = summarized ? message.rule.lines : 0;
    }
    for (const [key, kind] of this.#kinds) {
      if (!this.#summarize(kind, sweepIntervalMs) && now - kind.at >= sweepIntervalMs) this.#kinds.delete(key);
    }
    if (this.#messages.size + this.#kinds.size > 0) {
      this.#cancelSweep = this.#schedule(() => this.#sweep(), sweepIntervalMs);
    }
  }

  /** Logs how many lines were suppressed; false when none was. */
  #summarize(held: Held, withinMs: number | undefined): boolean {
    if (held.count === 0) return false;
    this.#emit(summary(held, withinMs));
    held.count = 0;
    return true;
  }
}

function summary({ last, count }: Held, withinMs: number | undefined): LogRecord {
  const when = withinMs === undefined ? "since" : `in the last ${withinMs / 1000} s`;
  const text = ` (${count} more like this ${when})`;
  const message = [...last.message];
  // Texts and values take turns, and a text is the last.
  if (message.length % 2 === 0) message.push("");
  message[message.length - 1] = `${String(message.at(-1))}${text}`;
  const rawMessage = typeof last.rawMessage === "string" ? last.rawMessage + text : last.rawMessage;
  return { ...last, message, rawMessage, properties: { ...last.properties, repeated: count } };
}

function scheduleUnreferenced(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(owned(ownerOf("log"), run), delayMs);
  // A count that is due in a while is no reason to keep the process.
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
