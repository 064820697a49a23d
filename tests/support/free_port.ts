import { createServer } from "node:net";

/** Within what the programs flags accept, and below what Linux gives to connections that go out. */
const lowest = 10_000;
const highest = 32_767;

/**
 * A TCP port on 127.0.0.1 that was free a moment ago, in the range that the programs' flags accept. For programs that
 * cannot take port 0; a test that can listen on port 0 itself should.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found in 200 attempts");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
