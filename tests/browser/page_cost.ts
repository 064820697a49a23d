/// <reference lib="dom" />
/**
 * What a watcher of the page costs: `deno run -A tests/browser/page_cost.ts`, at 2,000 agents with 1,000 tunnels. Prints
 * JSON: the time to the first paint and to the first live picture, and the share of a core that the server and the browser
 * take, with the page open and without.
 * @module
 */
import { TestBrowser } from "./browser.ts";
import { largeScene } from "./scenes.ts";

/** How long each share is measured, in milliseconds. */
const measuredMs = 60_000;
/** Ticks of the system's clock in a second, as /proc counts processor time. */
const ticks = 100;

/** Processor time of a process and its threads, in seconds. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

/** This process's descendants, without those that a predicate leaves out. */
async function descendants(of: number): Promise<number[]> {
  const parents = new Map<number, number[]>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = await Deno.readTextFile(`/proc/${name}/stat`);
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      parents.set(parent, [...parents.get(parent) ?? [], Number(name)]);
    } catch {
      // It ended in this moment.
    }
  }
  const found: number[] = [];
  const waiting = [of];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const children = parents.get(pid) ?? [];
    found.push(...children);
    waiting.push(...children);
  }
  return found;
}

/** Percent of a core that processes take meanwhile. */
async function share(groups: Readonly<Record<string, () => Promise<number>>>): Promise<Record<string, number>> {
  const before = new Map<string, number>();
  for (const [name, read] of Object.entries(groups)) before.set(name, await read());
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measuredMs));
  const seconds = (performance.now() - start) / 1000;
  const shares: Record<string, number> = {};
  for (const [name, read] of Object.entries(groups)) {
    shares[name] = Math.round((await read() - (before.get(name) ?? 0)) / seconds * 10_000) / 100;
  }
  return shares;
}

async function measure(): Promise<void> {
  await using scene = await largeScene();
  const { pid } = scene.world.server.program;
  await using browser = await TestBrowser.open();
  const server = () => cpuSeconds(pid);
  const chromium = async () => {
    let sum = 0;
    for (const each of await descendants(Deno.pid)) if (each !== pid) sum += await cpuSeconds(each).catch(() => 0);
    return sum;
  };
  const { page } = await browser.tab();
  // The server still puts away what it took to make so many links and tunnels.
  await share({ server });
  const before = await share({ server, chromium });
  const start = performance.now();
  await page.goto(scene.world.url);
  await page.locator("#live").waitFor({ state: "visible" });
  const liveMs = Math.round(performance.now() - start);
  const paint = await page.evaluate(() =>
    performance.getEntriesByName("first-contentful-paint").map(({ startTime }) => Math.round(startTime))
  );
  const watched = await share({ server, chromium });
  const elements = await page.evaluate(() => document.getElementsByTagName("*").length);
  await page.close();
  // Other programs of the machine make these shares differ: the one behind says by how much.
  const behind = await share({ server });
  // deno-lint-ignore no-console -- what a person at a terminal is told
  console.log(
    JSON.stringify({ firstPaintMs: paint[0], liveMs, elements, percentOfACore: { before, watched, behind } }),
  );
}

await measure();
// Whatever connections of agents are still about to end.
Deno.exit(0);
