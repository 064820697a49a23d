import { Agent, get } from "node:http";
import type { Figure } from "./load.ts";
import { percentile } from "./neighbour.ts";
import { median } from "./results.ts";

/** A page of a server. */
export interface ScrapedPage {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly path: string;
}

/** Requests of health beside no scrape, for what they take by themselves. */
const calmRequests = 100;

/** Gets a page and drops it. @returns its bytes @throws when it is not there */
function read({ port, path }: ScrapedPage, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, agent });
    request.on("error", reject);
    request.on("response", (response) => {
      let bytes = 0;
      response.on("data", (chunk: Uint8Array) => bytes += chunk.length);
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(bytes);
        else reject(new Error(`${path} is answered with ${response.statusCode}`));
      });
    });
  });
}

/**
 * Scrapes a page, and asks for health beside it all the while: how much longer the slowest answer took than answers take
 * without a scrape is how long the scrape has held the event loop, in which tunnels are served too. Medians of all scrapes.
 */
export async function scrapes(page: ScrapedPage, healthPort: number, count: number): Promise<Figure[]> {
  const health: ScrapedPage = { port: healthPort, path: "/healthz" };
  const [scraper, prober] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
  const probe = async () => {
    const since = performance.now();
    await read(health, prober);
    return performance.now() - since;
  };
  const calm: number[] = [];
  for (let at = 0; at < calmRequests; at++) calm.push(await probe());
  const usual = percentile(calm.sort((a, b) => a - b), 0.5);
  const holds: number[] = [];
  const times: number[] = [];
  let bytes = 0;
  for (let at = 0; at < count; at++) {
    let over = false;
    let slowest = 0;
    const since = performance.now();
    const scrape = read(page, scraper).then((length) => {
      bytes = length;
      times.push(performance.now() - since);
    }).finally(() => over = true);
    while (!over) slowest = Math.max(slowest, await probe());
    await scrape;
    holds.push(Math.max(0, slowest - usual));
  }
  scraper.destroy();
  prober.destroy();
  return [
    { name: "held", unit: "ms", value: median(holds) },
    { name: "took", unit: "ms", value: median(times) },
    { name: "size", unit: "KiB", value: bytes / 1024 },
  ];
}
