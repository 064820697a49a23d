import { one } from "../churn.ts";
import { generator } from "../random.ts";
import type { BenchDestinations } from "../bench_destinations.ts";
import { dialThrough } from "../load_connection.ts";
import { Fleet } from "../fleet.ts";
import { EventReader } from "../../support/processes/event_reader.ts";
import { httpGet } from "../../support/processes/processes.ts";
import type { SoakWorld } from "./soak_world.ts";

/** What has been done to a world, and what its clients saw. */
export interface SoakCounts {
  connections: number;
  /** Connections that an agent's end, or a storm, has cut or kept from opening. */
  cut: number;
  /** Connections that failed at a time when nothing was done, or did not end: faults. */
  unexplained: number;
  drains: number;
  kills: number;
  rotations: number;
  storms: number;
  scrapes: number;
  watches: number;
  /** The first reasons of what is unexplained. */
  readonly reasons: string[];
}

const lanes = 3;
const longestPauseMs = 400;
/** What was done shows at clients for so long, in milliseconds. */
const afterMs = 25_000;
const connectionLimitMs = 120_000;
const stormAgents = 120;
const scrapeMs = 5_000;
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
/** How often each is done. */
export const soakEvery = { drain: 2, kill: 3, rotate: 5, storm: 7, watch: 1 } as const;

/** Everything at once, on one world, until the signal aborts. Whatever throws ends it. */
export class SoakLoad {
  readonly counts: SoakCounts = {
    connections: 0,
    cut: 0,
    unexplained: 0,
    drains: 0,
    kills: 0,
    rotations: 0,
    storms: 0,
    scrapes: 0,
    watches: 0,
    reasons: [],
  };
  readonly #world: SoakWorld;
  readonly #destinations: BenchDestinations;
  readonly #signal: AbortSignal;
  /** Until when clients may see what was done. */
  #disturbedUntil = 0;

  constructor(world: SoakWorld, destinations: BenchDestinations, signal: AbortSignal) {
    this.#world = world;
    this.#destinations = destinations;
    this.#signal = signal;
  }

  /** Fulfilled once the signal has aborted and all has come to its end. */
  async run(): Promise<void> {
    const [, second, third] = this.#world.agents;
    if (second === undefined || third === undefined) throw new Error("a soak takes three agents");
    await Promise.all([
      ...Array.from({ length: lanes }, (_, seed) => this.#lane(seed + 1)),
      this.#scrapes(),
      ...Array.from({ length: 3 }, () => this.#watches()),
      this.#again(soakEvery.drain, async () => {
        await this.#disturbing(() => this.#world.restart(second, "SIGTERM"));
        this.counts.drains++;
      }),
      this.#again(soakEvery.kill, async () => {
        await this.#disturbing(() => this.#world.restart(third, "SIGKILL"));
        this.counts.kills++;
      }),
      this.#again(soakEvery.rotate, async () => {
        await this.#world.certificates.rotate();
        this.counts.rotations++;
      }),
      this.#again(soakEvery.storm, async () => {
        await this.#disturbing(() => this.#storm());
        this.counts.storms++;
      }),
    ]);
  }

  get #over(): boolean {
    return this.#signal.aborted;
  }

  /** Waits, or until the soak is over. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#signal.addEventListener("abort", end);
      if (this.#over) end();
    });
  }

  async #again(minutes: number, act: () => Promise<void>): Promise<void> {
    for (;;) {
      await this.#pause(minutes * minuteMs);
      if (this.#over) return;
      await act();
    }
  }

  async #disturbing(act: () => Promise<void>): Promise<void> {
    this.#disturbedUntil = Infinity;
    try {
      await act();
    } finally {
      this.#disturbedUntil = performance.now() + afterMs;
    }
  }

  async #lane(seed: number): Promise<void> {
    const random = generator(seed);
    let goneAt = Infinity;
    const dial = async (kind: "echo" | "source" | "sink") => {
      goneAt = Infinity;
      const connection = await dialThrough(this.#world.frontend, this.#destinations[kind]);
      connection.gone.then(() => goneAt = performance.now());
      return connection;
    };
    while (!this.#over) {
      const from = performance.now();
      try {
        await this.#limited(one({ dial }, random), () => goneAt);
        this.counts.connections++;
      } catch (error) {
        // One that was cut may wait for bytes until its time is over.
        if (from < this.#disturbedUntil) this.counts.cut++;
        else {
          this.counts.unexplained++;
          if (this.counts.reasons.length < 20) this.counts.reasons.push(String(error));
        }
      }
      await this.#pause(random() * longestPauseMs);
    }
  }

  /** Waits for what a connection does, but not for bytes of one that is gone. */
  async #limited(work: Promise<void>, goneAt: () => number): Promise<void> {
    let done = false;
    const ended = work.finally(() => done = true);
    const settled = ended.catch(() => {});
    for (const until = performance.now() + connectionLimitMs; !done;) {
      await Promise.race([settled, this.#pause(secondMs)]);
      if (done || this.#over) break;
      const now = performance.now();
      if (now > until) throw new Error("a connection did not come to its end");
      if (now - goneAt() > secondMs) throw new Error("a connection was lost");
    }
    // At the end of the soak what goes on ends by itself.
    if (done) await ended;
  }

  async #scrapes(): Promise<void> {
    const { ports, agents } = this.#world;
    while (!this.#over) {
      for (const path of ["/metrics", "/status"]) {
        const { status } = await httpGet(ports.admin, path);
        if (status !== 200) throw new Error(`the server answered ${path} with ${status}`);
      }
      for (const { health, admin } of agents) {
        await httpGet(health, "/metrics");
        await httpGet(admin, "/status");
      }
      this.counts.scrapes++;
      await this.#pause(scrapeMs);
    }
  }

  async #watches(): Promise<void> {
    while (!this.#over) {
      using _reader = await EventReader.open(this.#world.ports.admin);
      this.counts.watches++;
      await this.#pause(soakEvery.watch * minuteMs);
    }
  }

  /** Many agents come, serve for a while, and are lost at once. */
  async #storm(): Promise<void> {
    const target = { port: this.#world.ports.agents, certificates: this.#world.certificates.files };
    const limitMs = minuteMs;
    await using fleet = await Fleet.spawn(stormAgents, "direct", target, limitMs);
    await fleet.link(limitMs);
    await this.#pause(20 * secondMs);
    await fleet.drop(limitMs);
  }
}
