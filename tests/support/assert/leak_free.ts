import assert from "node:assert/strict";
import { throwFaults } from "./faults.ts";

/** Open file descriptors of this process, by what they point at. Linux only: elsewhere the check sees nothing. */
function openDescriptors(): string[] {
  const found: string[] = [];
  try {
    for (const entry of Deno.readDirSync("/proc/self/fd")) {
      try {
        found.push(Deno.readLinkSync(`/proc/self/fd/${entry.name}`));
      } catch {
        // The descriptor that lists the folder is gone by now.
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

const settleLimitMs = 20_000;

/**
 * Registers a test that fails when it leaves a socket, pipe or file open. The runtime's own sanitizers do not see
 * node:net and node:http2 handles, so the descriptors themselves are counted; closing may take a few turns of the
 * event loop, hence the bounded wait for the condition.
 */
export function leakTest(name: string, body: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test(name, async (t) => {
    // The runtime opens some descriptors (signal pipe, resolver) once, on first use.
    await warmUp();
    const before = openDescriptors();
    try {
      await body(t);
      throwFaults();
    } catch (error) {
      throw asOne(error);
    }
    const deadline = performance.now() + settleLimitMs;
    let after = openDescriptors();
    while (after.length > before.length && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      after = openDescriptors();
    }
    if (after.length > before.length) {
      const left = [...after];
      for (const known of before) {
        const at = left.indexOf(known);
        if (at >= 0) left.splice(at, 1);
      }
      assert.fail(`the test left ${after.length - before.length} descriptors open: ${left.join(", ")}`);
    }
  });
}

/** A failure, and those of the disposals that it led to: the runner shows nothing of what a SuppressedError holds. */
function asOne(error: unknown): unknown {
  const all: unknown[] = [];
  for (let rest = error; rest !== undefined; rest = rest instanceof SuppressedError ? rest.suppressed : undefined) {
    all.unshift(rest instanceof SuppressedError ? rest.error : rest);
  }
  if (all.length === 1) return error;
  const told = all.map((each) => each instanceof Error ? each.stack ?? each.message : String(each));
  return new Error(told.join("\n--- then, as things were put away:\n"), { cause: all[0] });
}

let warm: Promise<void> | undefined;

function warmUp(): Promise<void> {
  warm ??= (async () => {
    const { createServer, connect } = await import("node:net");
    await new Promise<void>((resolve, reject) => {
      const server = createServer((socket) => socket.destroy());
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        if (address === null || typeof address === "string") return reject(new Error("no port"));
        const socket = connect(address.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.on("close", () => server.close(() => resolve()));
      });
    });
    await Deno.stat(".");
    const onSignal = () => {};
    Deno.addSignalListener("SIGUSR2", onSignal);
    Deno.removeSignalListener("SIGUSR2", onSignal);
  })();
  return warm;
}
