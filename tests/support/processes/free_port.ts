import { createServer } from "node:net";

/** Within what the programs flags accept, and below what Linux gives to connections that go out. */
const lowest = 10_000;
const highest = 32_767;

/** Test processes that run side by side choose from parts of the range of their own, as far as their ids tell. */
const parts = 64;
const width = Math.floor((highest - lowest) / parts);
const first = lowest + (Deno.pid % parts) * width;

/** Ports that this process was given lately: a program takes a second to listen on what it was started with. */
const given = new Set<number>();

/**
 * A TCP port on 127.0.0.1 that was free a moment ago, in the range that the programs' flags accept. For programs that
 * cannot take port 0; a test that can listen on port 0 itself should.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 4 * width; attempt++) {
    if (given.size > width / 2) given.clear();
    const port = first + Math.floor(Math.random() * width);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${first} and ${first + width} found in ${4 * width} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
