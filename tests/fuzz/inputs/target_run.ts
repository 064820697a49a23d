import type { Random } from "../random.ts";
import { corpusFile, formatInput, keepFound, readInputs, writeInputs } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { type Fault, FuzzLoop, type LoopBound } from "./fuzz_loop.ts";
import { shrink } from "./shrink.ts";
import type { FuzzTarget } from "./target.ts";

/** Longer inputs stay out of the repository. */
const mostKeptBytes = 1024;
/** How much of a target's corpus is kept. */
const mostCorpusBytes = 8 * 1024;

/** One target with its corpus, from the files to the files. */
export class TargetRun {
  readonly #target: FuzzTarget;
  readonly #coverage: Coverage;
  readonly #loop: FuzzLoop;
  #runningMs = 0;
  readonly #kept = new Set<Fault>();

  constructor(target: FuzzTarget, random: Random) {
    this.#target = target;
    this.#coverage = new Coverage(target.modules);
    this.#loop = new FuzzLoop(target, this.#coverage, random);
  }

  /** How many inputs were judged. */
  get inputs(): number {
    return this.#loop.inputs;
  }

  /** Judges the seeds, the corpus and what was found before. */
  async replay(): Promise<void> {
    const encoder = new TextEncoder();
    await this.#loop.replay(this.#target.seeds.map((seed) => typeof seed === "string" ? encoder.encode(seed) : seed));
    await this.#loop.replay(await readInputs(corpusFile("corpus", this.#target.name)));
    await this.#loop.replay(await readInputs(corpusFile("found", this.#target.name)));
  }

  /** Goes on fuzzing. */
  async run(bound: LoopBound): Promise<void> {
    const start = performance.now();
    await this.#loop.run(bound);
    this.#runningMs += performance.now() - start;
  }

  /** Says that something failed which has no owner. */
  fail(error: unknown): void {
    this.#loop.fail(error);
  }

  /** What was done, in a line. */
  line(): string {
    const rate = this.#runningMs === 0 ? "" : `, ${Math.round(this.inputs / this.#runningMs * 1000)} a second`;
    const { edges, total, features } = this.#coverage;
    const corpus = this.#loop.corpus.length;
    return `${this.#target.name}: ${this.inputs} inputs${rate}, ${edges} of ${total} edges, ${features} features, ` +
      `${corpus} in the corpus, ${this.#loop.faults.length} faults`;
  }

  /** Writes the smallest inputs that together reach what all have reached, as far as they are small. */
  async merge(): Promise<void> {
    const file = corpusFile("corpus", this.#target.name);
    const inputs = this.#loop.corpus.filter(({ length }) => length <= mostKeptBytes);
    const ordered = inputs.toSorted((a, b) => a.length - b.length);
    this.#coverage.reset();
    const kept: Uint8Array[] = [];
    let bytes = 0;
    for (const input of ordered) {
      const edges = this.#coverage.edges;
      await this.#target.run(input);
      this.#coverage.take();
      const size = formatInput(input).length + 1;
      if (this.#coverage.edges === edges || bytes + size > mostCorpusBytes) continue;
      kept.push(input);
      bytes += size;
    }
    await writeInputs(file, kept);
  }

  /** Shrinks and writes what broke something since the last call; returns a text for each. */
  async keepFaults(): Promise<string[]> {
    const known = new Set((await readInputs(corpusFile("found", this.#target.name))).map(formatInput));
    const texts: string[] = [];
    for (const fault of this.#loop.faults) {
      if (this.#kept.has(fault)) continue;
      this.#kept.add(fault);
      const { input, error } = fault;
      const smallest = await shrink(this.#target, input, error);
      const reason = error instanceof Error ? error.stack ?? error.message : String(error);
      if (!known.has(formatInput(smallest))) await keepFound(this.#target.name, smallest, reason);
      texts.push(`${this.#target.name}: ${formatInput(smallest)}: ${reason}`);
    }
    return texts;
  }
}
