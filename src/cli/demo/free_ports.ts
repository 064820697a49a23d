import { createServer } from "node:net";
import { loopback } from "./frontends.ts";

/** Within what the programs' flags accept, and below the ports that outgoing connections get. */
const lowest = 10_000;
const highest = 32_000;
const attempts = 1_000;

/** Hands out ports that nobody listens on, none of them twice. */
export class FreePorts {
  readonly #given = new Set<number>();

  /** @throws when none of a thousand ports was free */
  async next(): Promise<number> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const port = lowest + Math.floor(Math.random() * (highest - lowest));
      if (this.#given.has(port)) continue;
      this.#given.add(port);
      if (await isFree(port)) return port;
    }
    throw new Error(`no free port between ${lowest} and ${highest} found in ${attempts} attempts`);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, loopback, () => server.close(() => resolve(true)));
  });
}
