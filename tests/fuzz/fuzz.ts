import { httpGet } from "../support/processes/processes.ts";
import { directFloodScript, directScript } from "./direct_scripts.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { connectScript, garbageScript, pagesScript, pipelinedScript } from "./http1_scripts.ts";
import { http2FloodScript, http2Script } from "./http2_scripts.ts";
import { type Held, heldBy } from "./process_figures.ts";
import { Random } from "./random.ts";
import { play, type Script } from "./script.ts";
import { type FuzzTarget, open, type Opened } from "./targets.ts";

/** How a fuzz runs. */
export interface FuzzOptions {
  /** The same seed gives the same scripts; what the programs do with them depends on time, too. */
  readonly seed: number;
  readonly seconds: number;
  /** How long nothing is sent before what programs hold is measured; 0: it is not measured. */
  readonly settleSeconds: number;
  /** A health page, or a round trip of a neighbour, that takes longer than this is a hang. */
  readonly hangMs: number;
  /** Connections at once. */
  readonly concurrency: number;
  /** Names of the fleet's servers; all if absent. */
  readonly servers?: readonly string[];
  /** Called with a line on how it goes, every now and then. */
  readonly report: (line: string) => void;
}

/** What a program held when nothing was open, early and at the end. */
export interface Growth {
  readonly program: string;
  readonly early: Held;
  readonly late: Held;
}

/** What a fuzz has found. */
export interface FuzzResult {
  /** Deaths, hangs, lost neighbours and growth, as sentences; empty when all is well. */
  readonly faults: readonly string[];
  /** Scripts by target and outcome. */
  readonly counts: ReadonlyMap<string, number>;
  readonly connections: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly hostileLinks: number;
  /** Milliseconds of the slowest round trip of each neighbour. */
  readonly worstMs: ReadonlyMap<string, number>;
  readonly growth: readonly Growth[];
}

/** How much more a program may hold at the end than early on: heaps breathe. */
const growthLimitMiB = 48;
const growthLimitDescriptors = 10;
const checkEveryMs = 5_000;
/** Scripts of which the fault's message tells. */
const remembered = 12;

/** Opens connections to all listeners of a fleet for a time and plays scripts on them; the fleet must not notice. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const counts = new Map<string, number>();
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const recent: string[] = [];
  const faults: string[] = [];
  let at = 0;
  let sentBytes = 0;
  let receivedBytes = 0;
  let stopped = false;
  const next = () => new Random(options.seed * 0x1_0000_0000 + at++);
  const fleet = await startFleet(next, options.servers);
  const { echo, source, refused } = fleet.destinations;
  const addresses = [echo.address, source.address, refused];

  const one = async () => {
    const name = `seed ${options.seed}, script ${at}`;
    const random = next();
    const target = random.pick(fleet.targets);
    const opened = await open(random, target, fleet.credentials);
    recent.push(`${name} at ${target.name}`);
    if (recent.length > remembered) recent.shift();
    if (opened === undefined) {
      count(`${target.name}: refused`);
      return;
    }
    if (opened.resumed) count(`${target.name}: resumed a TLS session`);
    const played = await play(opened.socket, scriptFor(random, target, opened, addresses));
    sentBytes += played.sentBytes;
    receivedBytes += played.receivedBytes;
    count(`${target.name}: ${played.cutOff ? "cut off" : "played"}`);
  };
  const work = async () => {
    while (!stopped) await one();
  };
  const watch = async (seconds: number) => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end && faults.length === 0) {
      await pause(Math.min(checkEveryMs, end - performance.now()));
      faults.push(...await check(fleet, options.hangMs));
      if (faults.length > 0) faults.push(`the last scripts: ${recent.join("; ")}`);
    }
  };
  /** Runs scripts for a time, then lets everything settle. @returns what each program holds then */
  const phase = async (seconds: number): Promise<Map<string, Held>> => {
    stopped = false;
    const workers = Array.from({ length: options.concurrency }, work);
    await watch(seconds);
    stopped = true;
    await Promise.all(workers);
    options.report(`${at} scripts, ${Math.round(sentBytes / 1e6)} MB sent, ${faults.length} faults`);
    if (faults.length > 0 || options.settleSeconds === 0) return new Map();
    await watch(options.settleSeconds);
    return await held(fleet);
  };

  let early = new Map<string, Held>();
  let late = early;
  let figures: Pick<FuzzResult, "hostileLinks" | "worstMs">;
  try {
    early = await phase(options.seconds / 4);
    if (faults.length === 0) late = await phase(options.seconds * 3 / 4);
    figures = {
      hostileLinks: fleet.hostileServers.reduce((sum, { links }) => sum + links, 0),
      worstMs: new Map(fleet.neighbours.map(({ name, worstMs }) => [name, Math.round(worstMs)])),
    };
  } finally {
    // A program that has died already, or ends otherwise than in order, is a fault like the others.
    try {
      await fleet[Symbol.asyncDispose]();
    } catch (error) {
      faults.push(`the fleet did not end in order: ${error}`);
    }
  }
  const growth: Growth[] = [];
  for (const [program, before] of early) {
    const after = late.get(program);
    if (after === undefined) continue;
    growth.push({ program, early: before, late: after });
    if (after.residentMiB > before.residentMiB + growthLimitMiB) {
      faults.push(`${program} grew from ${before.residentMiB} to ${after.residentMiB} MiB`);
    }
    if (after.descriptors > before.descriptors + growthLimitDescriptors) {
      faults.push(`${program} grew from ${before.descriptors} to ${after.descriptors} descriptors`);
    }
  }
  return {
    faults,
    counts,
    connections: at,
    sentBytes,
    receivedBytes,
    ...figures,
    growth,
  };
}

function scriptFor(random: Random, target: FuzzTarget, { alpn }: Opened, addresses: readonly string[]): Script {
  if (random.chance(0.05)) return garbageScript(random);
  switch (target.speaks) {
    case "pages":
      return pagesScript(random);
    case "http-connect":
      return random.chance(0.1) ? pipelinedScript(random) : connectScript(random, addresses);
    case "http2":
      return random.chance(0.05)
        ? http2FloodScript(random, { addresses, metadata: [] })
        : http2Script(random, { addresses, metadata: [["konnectivity-features", "early-data,half-close"]] });
    case "agents": {
      const metadata = {
        agentid: random.chance(0.9) ? `fuzz-${random.below(50)}` : "",
        agentidentifiers: random.chance(0.8) ? "host=fuzz.invalid" : "host=%zz&ipv4=;",
        ...(random.chance(0.6) ? { "konnectivity-features": "window,half-close" } : {}),
      };
      if (alpn === "konnectivity-link/1") {
        return random.chance(0.1) ? directFloodScript(random, metadata) : directScript(random, metadata, addresses);
      }
      const call = { addresses, metadata: Object.entries(metadata) };
      return random.chance(0.05) ? http2FloodScript(random, call) : http2Script(random, call);
    }
  }
}

/** What is wrong with the fleet now. */
async function check(fleet: Fleet, hangMs: number): Promise<string[]> {
  const faults: string[] = [];
  for (const program of fleet.programs) {
    if (program.status !== undefined) {
      faults.push(`${program.name} (pid ${program.pid}) ended with code ${program.status.code}\n${program.tail(40)}`);
      continue;
    }
    const port = fleet.healthPorts.get(program);
    if (port === undefined) continue;
    const answer = await Promise.race([httpGet(port, "/healthz"), pause(hangMs)]);
    if (answer?.status !== 200) {
      faults.push(`${program.name} (pid ${program.pid}) answers /healthz with ${answer?.status ?? "nothing in time"}`);
    }
  }
  for (const { name, failure, worstMs } of fleet.neighbours) {
    if (failure !== undefined) faults.push(`the neighbour of ${name} lost its tunnel: ${failure}`);
    if (worstMs > hangMs) faults.push(`the neighbour of ${name} waited ${Math.round(worstMs)} ms`);
  }
  return faults;
}

async function held(fleet: Fleet): Promise<Map<string, Held>> {
  const found = new Map<string, Held>();
  for (const [index, { name, pid }] of fleet.programs.entries()) {
    const now = await heldBy(pid);
    if (now !== undefined) found.set(`${fleet.neighbours[index >> 1]?.name ?? ""} ${name}`, now);
  }
  return found;
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}
