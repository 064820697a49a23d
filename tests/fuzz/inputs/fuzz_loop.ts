import { cpuUsage } from "node:process";
import type { Random } from "../random.ts";
import type { Coverage } from "./coverage.ts";
import { dictionaryOf, Mutator } from "./mutator.ts";
import type { FuzzTarget } from "./target.ts";

/** An input for which something did not hold. */
export interface Fault {
  readonly target: string;
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** When a loop ends. */
export interface LoopBound {
  readonly inputs: number;
  /** Absent: no matter how long it takes. */
  readonly untilMs?: number;
}

/** An input that takes longer is tried again, and is slow where it takes so much of a processor each time. */
const slowMs = 1000;
/** One target's faults with different causes, after which it is not tried any more. */
const mostFaults = 10;
const mostKeptBytes = 4096;
const usualLargeBytes = 64 * 1024;
/** How often an input is large: the time for all of them is that of the others. */
const largeChance = 1 / 1000;
const batchInputs = 20_000;
/** How much memory a target's turns may leave behind together, beside the corpus. */
const mostGrowthBytes = 48 * 1024 * 1024;

/** Mutates inputs, keeps those that reach what none has reached, and judges each one. */
export class FuzzLoop {
  readonly #target: FuzzTarget;
  readonly #coverage: Coverage;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #guided: boolean;
  readonly #corpus: Uint8Array[] = [];
  readonly #faults = new Map<string, Fault>();
  #grownBytes = 0;
  #inputs = 0;
  #current: Uint8Array = new Uint8Array(0);
  /** What failed outside of the run of the input. */
  #pending: unknown;

  /** @param guided keeps what reaches something; without it, for comparison, every input is made of the seeds */
  constructor(target: FuzzTarget, coverage: Coverage, random: Random, guided = true) {
    this.#guided = guided;
    this.#target = target;
    this.#coverage = coverage;
    this.#random = random;
    const words = dictionaryOf([...coverage.literals, ...target.dictionary ?? []]);
    this.#mutator = new Mutator(random, guided ? words : [], target.maxBytes ?? 512);
  }

  /** How many inputs were judged. */
  get inputs(): number {
    return this.#inputs;
  }

  /** Inputs that have reached something first, in their order. */
  get corpus(): readonly Uint8Array[] {
    return this.#corpus;
  }

  /** One fault for each cause. */
  get faults(): readonly Fault[] {
    return [...this.#faults.values()];
  }

  /** Judges inputs that are known, and keeps those that reach something. */
  async replay(inputs: Iterable<Uint8Array>): Promise<void> {
    this.#coverage.begin();
    for (const input of inputs) await this.#try(input);
    await this.#betweenInputs();
  }

  /** Goes on until the bound is reached, or until so much was found that there is no use in more. */
  async run({ inputs, untilMs = Infinity }: LoopBound): Promise<void> {
    Error.stackTraceLimit = 0;
    this.#coverage.begin();
    if (this.#corpus.length === 0) await this.replay([new Uint8Array(0)]);
    const before = heapBytes();
    const end = this.#inputs + inputs;
    while (this.#inputs < end && performance.now() < untilMs && this.#faults.size < mostFaults) {
      const batchEnd = Math.min(end, this.#inputs + batchInputs);
      while (this.#inputs < batchEnd) {
        const tried = this.#try(this.#next());
        if (tried !== undefined) await tried;
        if (this.#inputs % 64 === 0 && performance.now() >= untilMs) break;
      }
      await this.#betweenInputs();
    }
    await this.#checkGrowth(before);
  }

  /** Says that something failed, outside of the run, for the input that is judged now. */
  fail(error: unknown): void {
    this.#pending ??= error;
  }

  #next(): Uint8Array {
    const random = this.#random;
    const input = this.#pick();
    const { restructure, largeBytes = usualLargeBytes } = this.#target;
    if (random.chance(largeChance)) return this.#mutator.enlarge(input, largeBytes);
    if (restructure !== undefined && random.chance(0.4)) return restructure(random, input);
    return this.#mutator.mutate(input, this.#pick());
  }

  /** Those that were kept last are worth more tries, and short ones take less time. */
  #pick(): Uint8Array {
    const [one, other] = [this.#pickAny(), this.#pickAny()];
    return other.length < one.length && this.#random.chance(0.7) ? other : one;
  }

  #pickAny(): Uint8Array {
    const corpus = this.#corpus;
    const newest = this.#random.chance(0.3) ? Math.max(0, corpus.length - 16) : 0;
    return corpus[newest + this.#random.below(corpus.length - newest)] ?? this.#current;
  }

  #try(input: Uint8Array): void | Promise<void> {
    this.#current = input;
    this.#inputs++;
    const start = performance.now();
    try {
      const running = this.#target.run(input);
      if (running !== undefined) {
        return running.then(() => this.#passed(input, start), (error) => this.#failed(input, error));
      }
    } catch (error) {
      return this.#failed(input, error);
    }
    return this.#passed(input, start);
  }

  #passed(input: Uint8Array, start: number): void | Promise<void> {
    if (this.#pending !== undefined) return this.#failed(input, this.#takePending());
    const { fresh, work } = this.#coverage.take();
    const { maxWork = usualWork } = this.#target;
    if (work > maxWork(input.length)) {
      this.#failed(
        input,
        new Error(`${input.length} bytes made ${work} places run, more than ${maxWork(input.length)}`),
      );
    }
    // A large one would be copied again and again.
    if (fresh > 0 && input.length <= mostKeptBytes && (this.#guided || this.#corpus.length === 0)) {
      this.#corpus.push(input);
    }
    if (performance.now() - start > slowMs) return this.#trySlow(input);
  }

  /** By the processor's time, which a machine that is busy does not make longer: what no counter is in, as expressions. */
  async #trySlow(input: Uint8Array): Promise<void> {
    let shortest = Infinity;
    for (let count = 0; count < 3; count++) {
      // What the runs before this one have counted would be taken for a loop that runs on.
      this.#coverage.take();
      const before = cpuUsage();
      await this.#target.run(input);
      const { user, system } = cpuUsage(before);
      shortest = Math.min(shortest, (user + system) / 1000);
    }
    this.#coverage.take();
    if (shortest > slowMs) await this.#failed(input, new Error(`it takes ${Math.round(shortest)} ms each time`));
  }

  async #failed(input: Uint8Array, first: unknown): Promise<void> {
    this.#coverage.take();
    const error = await this.#traced(input) ?? this.#takePending() ?? first;
    const cause = causeOf(error);
    if (this.#faults.has(cause)) return;
    this.#faults.set(cause, { target: this.#target.name, input: input.slice(), error });
  }

  #takePending(): unknown {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending;
  }

  /** What comes between inputs is put down to the last one. */
  async #betweenInputs(): Promise<void> {
    await nextTurn();
    if (this.#pending !== undefined) await this.#failed(this.#current, this.#takePending());
  }

  /** The same failure with its stack, which takes too long to write for all the errors that are expected. */
  async #traced(input: Uint8Array): Promise<unknown> {
    Error.stackTraceLimit = 20;
    try {
      await this.#target.run(input);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      Error.stackTraceLimit = 0;
      this.#coverage.take();
    }
  }

  /** @param before what was in use when this target had its turn: others share the process */
  async #checkGrowth(before: number): Promise<void> {
    const corpus = this.#corpus.reduce((sum, { length }) => sum + length + 256, 0);
    this.#grownBytes += heapBytes() - before;
    const kept = (this.#target.keptBytes ?? 0) * this.#inputs;
    if (this.#grownBytes - corpus - kept < mostGrowthBytes) return;
    await this.#failed(this.#current, new Error(`memory has grown by ${Math.round(this.#grownBytes / 1e6)} MB`));
  }
}

declare global {
  /** The engine's collector, where the process was started with it. */
  var gc: (() => void) | undefined;
}

/** What is in use, garbage aside; 0 where nobody can ask the collector. */
function heapBytes(): number {
  if (typeof gc !== "function") return 0;
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function usualWork(inputBytes: number): number {
  return 50_000 + 2000 * inputBytes;
}

/** Faults of one cause share the kind of error, its text without numbers, and the place. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /\/((?:src|tests)\/[^)]*)/.exec(error.stack?.split("\n").find((line) => line.includes("/src/")) ?? "");
  const text = error.message.split("\n", 1)[0]?.replace(/\d+|"[^"]*"|'[^']*'/g, "…").slice(0, 80);
  return `${error.name}: ${text} ${place?.[1] ?? ""}`;
}

/** Lets the runtime report rejections that nobody handles. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
