import { ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type SpareDescriptor, spareDescriptor } from "../../runtime/spare_descriptor.ts";

/** What holds descriptors in numbers that peers decide; the label of a metric. */
export const descriptorPools = ["client", "agent", "health", "admin", "dial"] as const;

export type DescriptorPool = typeof descriptorPools[number];

/** How a process shares its descriptors out. */
export const descriptorLimits = {
  /**
   * Kept for files (certificates, tokens, the log), the Kubernetes API, name servers and links to servers, and for accepts
   * that are undone at once: a part of the limit, between these two.
   */
  reservePart: 1 / 16,
  minReserve: 12,
  maxReserve: 256,
  /**
   * What a pool may always have of the rest, whatever the others use: without it, clients could keep all agents out, and
   * tunnels every probe.
   */
  guaranteedPart: 1 / 8,
  maxGuaranteed: 1_024,
  /** The same for health and admin connections, which are few and short. */
  guaranteedPagesPart: 1 / 16,
  maxGuaranteedPages: 16,
  /** Health and admin connections at once; one more ends the oldest. */
  maxPages: 256,
  /** The part of all connections that may be strangers': without a verified certificate, and without an accepted call. */
  strangersPart: 1 / 2,
  /** The same where the limit of the process is not known. */
  unknownLimitStrangers: 8_192,
} as const;

/** What the supervisor of workers reports to them about the process that they share. */
export interface SharedDescriptors {
  readonly pools: readonly DescriptorPool[];
  readonly memory: SharedArrayBuffer;
}

/** Places of the shared memory: some for the process, then one a pool. */
const limitAt = 0;
const baseAt = 1;
const strangersAt = 2;
/** What all pools have. */
const countedAt = 3;
/** Below this sum every pool may have one more. */
const plentyAt = 4;
const poolAt: Readonly<Record<DescriptorPool, number>> = { client: 5, agent: 6, health: 7, admin: 8, dial: 9 };
const places = 10;

/** Measurements that count for what nobody counts; they come every few seconds. */
const rememberedMeasurements = 8;

/** The largest number that the shared memory takes. */
const most = 2 ** 31 - 1;

/** How long what is being closed is given before the system is asked again, in milliseconds, and how often. */
const retryMs = 200;
const maxRetries = 5;

/**
 * The file descriptors of a process, workers included. The runtime counts none, so what peers open is counted here, and
 * added to what was open before; what the system says corrects the sum.
 */
export class Descriptors {
  readonly shared: SharedDescriptors;
  readonly #memory: Int32Array;
  readonly #spare: () => SpareDescriptor;
  /** How many nobody counts at least, and how many that was at the last measurements. */
  #least = 0;
  readonly #uncounted: number[] = [];

  /**
   * @param pools those that the process has
   * @param limit of the process; undefined where it is not known, until it is reached
   * @param spare asks the system
   */
  static of(
    pools: readonly DescriptorPool[],
    limit: number | undefined,
    spare: () => SpareDescriptor = spareDescriptor,
  ): Descriptors {
    const bytes = places * Int32Array.BYTES_PER_ELEMENT;
    const descriptors = new Descriptors({ pools, memory: new SharedArrayBuffer(bytes) }, spare);
    descriptors.#store(limitAt, Math.min(limit ?? 0, most));
    descriptors.calibrate();
    return descriptors;
  }

  /** Those of {@link of} in another thread. */
  constructor(shared: SharedDescriptors, spare: () => SpareDescriptor = spareDescriptor) {
    this.shared = shared;
    this.#spare = spare;
    this.#memory = new Int32Array(shared.memory);
  }

  /** How many the process may have; undefined where that is not known. */
  get limit(): number | undefined {
    return Atomics.load(this.#memory, limitAt) || undefined;
  }

  /** How many are open, as far as that can be known: of those that are being closed, some are counted that are no more. */
  get open(): number {
    return Math.min(Atomics.load(this.#memory, baseAt) + this.#counted, this.limit ?? Infinity);
  }

  /** How many of them are a pool's. */
  count(pool: DescriptorPool): number {
    return Atomics.load(this.#memory, poolAt[pool]);
  }

  /** How many all pools may have together. */
  get capacity(): number {
    const { limit } = this;
    if (limit === undefined) return Infinity;
    const { reservePart, minReserve, maxReserve } = descriptorLimits;
    const reserve = Math.min(maxReserve, Math.max(minReserve, Math.floor(limit * reservePart)));
    return Math.max(this.shared.pools.length, limit - Atomics.load(this.#memory, baseAt) - reserve);
  }

  /** Whether a pool may have one more. */
  admits(pool: DescriptorPool, beyond = 0): boolean {
    // Asked for each connection and dial: far from the limit, two numbers say it.
    if (this.#counted < Atomics.load(this.#memory, plentyAt)) return true;
    const { capacity } = this;
    if (capacity === Infinity) return true;
    let used = 0;
    const { pools } = this.shared;
    for (const other of pools) {
      const count = this.count(other);
      used += other === pool ? count : Math.max(count, guaranteed(other, capacity));
    }
    return used < capacity + beyond;
  }

  take(pool: DescriptorPool): void {
    Atomics.add(this.#memory, poolAt[pool], 1);
    Atomics.add(this.#memory, countedAt, 1);
  }

  release(pool: DescriptorPool): void {
    Atomics.sub(this.#memory, poolAt[pool], 1);
    Atomics.sub(this.#memory, countedAt, 1);
  }

  /** How many connections are strangers' now. */
  get strangers(): number {
    return Atomics.load(this.#memory, strangersAt);
  }

  /** A connection is a stranger's, or is so no more. */
  countStranger(change: 1 | -1): void {
    Atomics.add(this.#memory, strangersAt, change);
  }

  /** How many connections may be strangers'. */
  get maxStrangers(): number {
    const { capacity } = this;
    const { strangersPart, unknownLimitStrangers } = descriptorLimits;
    return capacity === Infinity ? unknownLimitStrangers : Math.max(1, Math.floor(capacity * strangersPart));
  }

  /**
   * Asks the system, and learns from the answer: of descriptors that nobody counts, and of a limit that was not known.
   * @returns whether one is left
   */
  measure(): boolean {
    const spare = this.#spare();
    if (spare === "unknown") return true;
    const { limit } = this;
    if (spare === "exhausted" && limit === undefined) this.#store(limitAt, this.open);
    else this.#learn((spare === "exhausted" ? limit ?? 0 : spare) - this.#counted);
    return spare !== "exhausted";
  }

  /** Called once everything that lasts is open: what is open now, and nobody counts, is never forgotten. */
  calibrate(): void {
    this.measure();
    this.#least = Atomics.load(this.#memory, baseAt);
  }

  /** Why no connection can be accepted now; undefined when one can. */
  exhaustion(): string | undefined {
    if (this.measure()) return undefined;
    return `no file descriptor is left of ${this.limit ?? "an unknown number"}: no connection can be accepted`;
  }

  /**
   * Why the process cannot work, which only its end can mend. Asks for a second: connections that are being closed hold
   * their descriptors for a moment more, as many of them as a flood has brought.
   */
  async lastingExhaustion(clock: Clock): Promise<string | undefined> {
    for (let retries = maxRetries;; retries--) {
      const reason = this.exhaustion();
      if (reason === undefined || retries === 0) return reason;
      await new Promise<void>((resolve) => clock.after(retryMs, resolve, ownerOf("health")));
    }
  }

  /**
   * So many descriptors are open that nobody counts. What is being closed is among them for a moment, so that the most of
   * the last measurements counts, and never less than at the start: the lowest free number is no more than a lower bound.
   */
  #learn(uncounted: number): void {
    this.#uncounted.push(uncounted);
    if (this.#uncounted.length > rememberedMeasurements) this.#uncounted.shift();
    this.#store(baseAt, Math.max(this.#least, ...this.#uncounted));
  }

  get #counted(): number {
    return Atomics.load(this.#memory, countedAt);
  }

  #store(at: typeof limitAt | typeof baseAt, value: number): void {
    Atomics.store(this.#memory, at, value);
    const { capacity } = this;
    let plenty = Math.min(capacity, most);
    // Where every pool had what it is guaranteed beside what all have, there would still be room.
    if (capacity !== Infinity) { for (const pool of this.shared.pools) plenty -= guaranteed(pool, capacity); }
    Atomics.store(this.#memory, plentyAt, plenty);
  }
}

function guaranteed(pool: DescriptorPool, capacity: number): number {
  const { guaranteedPart, maxGuaranteed, guaranteedPagesPart, maxGuaranteedPages } = descriptorLimits;
  return pool === "health" || pool === "admin"
    ? Math.min(maxGuaranteedPages, Math.floor(capacity * guaranteedPagesPart))
    : Math.min(maxGuaranteed, Math.floor(capacity * guaranteedPart));
}
