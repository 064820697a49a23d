import type { PageQuery } from "./status_query.ts";

/** A part of a table. */
export interface StatusPage<T> {
  /** Entries of the table. */
  readonly total: number;
  /** Those that the request's filters let pass. */
  readonly matched: number;
  /** Of those, how many earlier pages hold. */
  readonly from: number;
  readonly items: readonly T[];
}

/** How long a table is read before whatever else there is to do has its turn, in milliseconds. */
const sliceMs = 5;

/** Entries between two looks at the clock. */
const entriesOfStep = 256;

/**
 * Goes through a table that may be long and may change meanwhile: the event loop is held for some milliseconds at most.
 * @param step entries between two looks at the clock
 */
export async function visit<S>(table: Iterable<S>, each: (entry: S) => void, step = entriesOfStep): Promise<void> {
  let count = 0;
  let sliceEnd = performance.now() + sliceMs;
  for (const entry of table) {
    if (++count % step === 0 && performance.now() > sliceEnd) {
      await new Promise<void>((resolve) => setTimeout(resolve, 0));
      sliceEnd = performance.now() + sliceMs;
    }
    each(entry);
  }
}

/**
 * Reads a page of a table, as {@link visit} goes through it.
 * @param matches what the request's filters let pass
 */
export async function readPage<S, T>(
  table: Iterable<S>,
  { from, size }: PageQuery,
  matches: (entry: S) => boolean,
  show: (entry: S) => T,
): Promise<StatusPage<T>> {
  const items: T[] = [];
  let total = 0;
  let matched = 0;
  await visit(table, (entry) => {
    total++;
    if (!matches(entry)) return;
    matched++;
    if (matched > from && items.length < size) items.push(show(entry));
  });
  return { total, matched, from, items };
}

/** Bytes each way. */
export interface ByteCounts {
  /** Towards the destination. */
  readonly sent: number;
  /** From the destination. */
  readonly received: number;
}

/** For how long a rate is not worked out anew, in milliseconds: several readers may ask at once. */
const rateMs = 1_000;

/**
 * Works out bytes a second, between one reading and an earlier one. Nothing is measured while nobody reads, and a first
 * reading shows the average since the beginning.
 */
export class Rates {
  readonly #samples = new WeakMap<
    object,
    { readonly at: number; readonly bytes: ByteCounts; readonly rate: ByteCounts }
  >();

  /** @param seconds since the subject began */
  of(subject: object, seconds: number, bytes: ByteCounts): ByteCounts {
    const now = performance.now();
    const before = this.#samples.get(subject);
    if (before !== undefined && now - before.at < rateMs) return before.rate;
    const base = before ?? { at: now - seconds * 1000, bytes: { sent: 0, received: 0 } };
    const passed = Math.max(0.001, (now - base.at) / 1000);
    const rate = {
      sent: Math.round((bytes.sent - base.bytes.sent) / passed),
      received: Math.round((bytes.received - base.bytes.received) / passed),
    };
    this.#samples.set(subject, { at: now, bytes, rate });
    return rate;
  }
}

/** Characters of a text that peers choose, such as a destination or an id. */
const shownChars = 256;

/** A text that a peer chose, bounded: a page has up to a thousand of them. */
export function shown(text: string): string {
  return text.length <= shownChars ? text : `${text.slice(0, shownChars).toWellFormed()}…`;
}

/** Seconds as answers show them. */
export function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
