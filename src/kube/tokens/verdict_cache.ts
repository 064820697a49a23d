import { createHash } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";

/** How long verdicts are kept, and how many. */
export interface VerdictCacheOptions {
  readonly goodMs: number;
  readonly badMs: number;
  readonly maxEntries: number;
}

/** A bound token carries when it ends; a verdict on it is not kept longer. */
interface Entry<Verdict> {
  readonly verdict: Verdict;
  /** On the monotonic clock. */
  readonly untilMs: number;
}

/** Verdicts on tokens, by the tokens' SHA-256: the tokens themselves are not kept. The oldest go first. */
export class VerdictCache<Verdict> {
  readonly #options: VerdictCacheOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry<Verdict>>();

  constructor(options: VerdictCacheOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Verdicts that are kept, outdated ones included. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Verdict | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > this.#clock.now() ? entry.verdict : undefined;
  }

  /** @param endsMs when the token ends by its own word, in milliseconds since the epoch; Infinity: it does not say */
  set(key: string, verdict: Verdict, good: boolean, endsMs: number): void {
    const now = this.#clock.now();
    const { goodMs, badMs } = this.#options;
    const untilMs = now + (good ? Math.min(goodMs, endsMs - this.#clock.timeOfDay()) : badMs);
    this.#entries.delete(key);
    this.#entries.set(key, { verdict, untilMs });
    if (this.#entries.size <= this.#options.maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** The name of a token in tables. */
export function tokenKey(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

/** When a JSON web token ends by its own word, in milliseconds since the epoch; Infinity where it does not say. */
export function tokenEndMs(token: string): number {
  const claims = token.split(".")[1] ?? "";
  try {
    const parsed: unknown = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
    const end: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "exp") : undefined;
    return typeof end === "number" ? end * 1000 : Infinity;
  } catch {
    return Infinity;
  }
}
