import { monitorEventLoopDelay } from "node:perf_hooks";
import { failsAlone, runtimeFault } from "../../tests/support/assert/runtime_fault.ts";

const permissionAsked = {
  file: "src/net/tcp/listen.ts",
  then: "leave out the question for the permission, an `error` event tells the same",
};

runtimeFault(
  "this runtime ends the process where the sandbox refuses a listener, in spite of its error listener",
  permissionAsked,
  async () => {
    const script = `
    import { createServer } from "node:net";
    const server = createServer();
    server.on("error", () => Deno.exit(0));
    try { server.listen(0, "127.0.0.1"); } catch { Deno.exit(0); }
    setTimeout(() => Deno.exit(0), 60_000);`;
    return await failsAlone("--deny-net", script);
  },
);

/** How long the loop is held up, and what a measurement would have to show of it at least, in milliseconds. */
const stallMs = 300;
const shownMs = 100;

runtimeFault(
  "this runtime measures no delay of an event loop that was held up",
  { file: "src/metrics/event_loop.ts" },
  async () => {
    // A busy machine holds loops up by itself, and now and then right where the runtime looks: one try without is enough.
    for (let attempt = 0; attempt < 5; attempt++) {
      const histogram = monitorEventLoopDelay({ resolution: 10 });
      histogram.enable();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const until = performance.now() + stallMs;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 50));
      histogram.disable();
      if (histogram.max / 1e6 < shownMs) return true;
    }
    return false;
  },
);
