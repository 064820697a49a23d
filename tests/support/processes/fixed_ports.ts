import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../assert/until.ts";

/** How long another run of the tests may hold the ports, in milliseconds. */
const lockLimitMs = 300_000;

/**
 * Takes TCP ports that a test cannot choose, for itself alone: other runs of the tests on this machine that take them
 * wait for their turn.
 * @returns holds them until it is disposed of
 * @throws when a stranger listens on one of them; the message names the port
 */
export async function takeFixedPorts(ports: readonly number[]): Promise<Disposable> {
  const path = join(tmpdir(), "konnectivity-tests-fixed-ports.lock");
  const file = await Deno.open(path, { read: true, write: true, create: true });
  try {
    await until(`no other run of the tests holds ${path}`, () => file.tryLock(true), lockLimitMs);
    for (const port of ports) assertUnused(port);
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}

/** @throws when somebody listens on the port, on any address */
export function assertUnused(port: number): void {
  for (const hostname of ["0.0.0.0", "127.0.0.1", "::"]) {
    try {
      Deno.listen({ hostname, port }).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) continue;
      assert.fail(`port ${port} is in use by another program, which must be stopped: this test needs just this port`);
    }
  }
}
