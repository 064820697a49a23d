import { registerHooks } from "node:module";
import { instrument } from "./instrument.ts";

/** What instrumented modules refer to. */
interface Shared {
  readonly counters: Uint32Array;
  readonly overrun: (counter: number) => never;
}

/** An input made a loop or function run for too long. */
export class Overrun extends Error {
  override readonly name = "Overrun";
}

interface Module {
  /** Its path below the root. */
  readonly path: string;
  readonly first: number;
  readonly counters: number;
  readonly literals: readonly (string | number)[];
}

const mostCounters = 1 << 16;

/** The counters of all modules that were loaded since {@link watchModules}. */
const counters = new Uint32Array(mostCounters);
const modules: Module[] = [];
let usedCounters = 0;

/**
 * Gives each module below `root` counters as it is loaded. It must be called before they are imported.
 * @param root a `file:` address that ends with a slash
 */
export function watchModules(root: string, wanted: (path: string) => boolean): void {
  const shared: Shared = {
    counters,
    overrun: (counter) => {
      const at = modules.find(({ first, counters }) => counter >= first && counter < first + counters);
      throw new Overrun(`${at?.path ?? "a module"} ran one place more than ten million times`);
    },
  };
  Object.assign(globalThis, { __fuzz: shared });
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const path = url.startsWith(root) ? url.slice(root.length) : "";
      if (!path.endsWith(".ts") || !wanted(path)) return loaded;
      const first = usedCounters;
      const { text, counters: count, literals } = instrument(textOf(loaded.source), first);
      if (usedCounters + count > mostCounters) throw new RangeError(`more than ${mostCounters} counters are needed`);
      usedCounters += count;
      modules.push({ path, first, counters: count, literals });
      return { format: "module", source: text, shortCircuit: true };
    },
  });
}

function textOf(source: unknown): string {
  if (typeof source === "string") return source;
  if (source instanceof Uint8Array) return new TextDecoder().decode(source);
  throw new TypeError("the runtime gave a module without its source");
}

/** What the inputs of one target have reached in the modules that it names. */
export class Coverage {
  /** From, to, from, to: ranges of counters, neighbours joined. */
  readonly #ranges: number[] = [];
  /** One bit for each order of magnitude of a counter that some input has shown. */
  readonly #seen = new Uint8Array(mostCounters);
  #edges = 0;
  #features = 0;
  #total = 0;
  #taken = 0;
  readonly literals: readonly (string | number)[];

  /** @param prefixes paths of modules and folders whose counters count */
  constructor(prefixes: readonly string[]) {
    const literals = new Set<string | number>();
    for (const module of modules) {
      if (!prefixes.some((prefix) => module.path.startsWith(prefix))) continue;
      for (const literal of module.literals) literals.add(literal);
      if (this.#ranges.at(-1) === module.first) this.#ranges.pop();
      else this.#ranges.push(module.first);
      this.#ranges.push(module.first + module.counters);
      this.#total += module.counters;
    }
    if (this.#total === 0) throw new Error(`no module was loaded below ${prefixes.join(", ")}`);
    this.literals = [...literals];
  }

  /** Places that some input has reached. */
  get edges(): number {
    return this.#edges;
  }

  /** Places, each with the orders of magnitude in which inputs have reached it. */
  get features(): number {
    return this.#features;
  }

  /** All places that there are. */
  get total(): number {
    return this.#total;
  }

  /** Forgets what was counted since, of other targets or of nobody's input. */
  begin(): void {
    counters.fill(0);
  }

  /** Reads and clears the counters of the input that has just run. */
  take(): { readonly fresh: number; readonly work: number } {
    // Those of other modules only end what runs on.
    if (++this.#taken % 64 === 0) this.#clearOthers();
    const ranges = this.#ranges;
    const seen = this.#seen;
    let fresh = 0;
    let work = 0;
    for (let range = 0; range < ranges.length; range += 2) {
      const behind = ranges[range + 1] ?? 0;
      for (let at = ranges[range] ?? 0; at < behind; at++) {
        const count = counters[at] ?? 0;
        if (count === 0) continue;
        counters[at] = 0;
        work += count;
        const bit = magnitude(count);
        const before = seen[at] ?? 0;
        if ((before & bit) !== 0) continue;
        if (before === 0) this.#edges++;
        seen[at] = before | bit;
        fresh++;
      }
    }
    this.#features += fresh;
    return { fresh, work };
  }

  #clearOthers(): void {
    let from = 0;
    for (let range = 0; range < this.#ranges.length; range += 2) {
      counters.fill(0, from, this.#ranges[range]);
      from = this.#ranges[range + 1] ?? 0;
    }
    counters.fill(0, from, usedCounters);
  }

  /** Forgets what was reached. */
  reset(): void {
    this.#seen.fill(0);
    this.#edges = 0;
    this.#features = 0;
  }
}

/** A bit for 1, 2, 3, up to 7, 15, 31, 127, and more. */
function magnitude(count: number): number {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
}
