import assert from "node:assert/strict";
import { serveHttp } from "../../src/net/pages/http_server.ts";
import { serverAdminApp } from "../../src/ops/admin.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { eventHub } from "../support/memory/watched_hub.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { konnectivityLauncher } from "../support/processes/konnectivity.ts";

leakTest(
  "a tap whose reader stands still is told what it lost, to the last event, and still ends at SIGINT",
  async () => {
    const hub = eventHub({ clock: systemClock });
    const app = serverAdminApp({
      metrics: { text: () => Promise.resolve(""), contentType: "text/plain" },
      status: () => Promise.resolve("{}"),
      events: hub,
      profiling: undefined,
    });
    await using served = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
    const tap = async () =>
      new Deno.Command(await konnectivityLauncher(), {
        args: ["tap", "--once", "--timeout=2m", "-o", "json", "--admin", `127.0.0.1:${served.port}`],
        env: { LC_ALL: "C.UTF-8" },
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    const slow = await tap();
    const held = await tap();
    await until("both watch", () => hub.size === 2);
    const time = new Date().toISOString();
    const published = 120_000;
    for (let at = 0; at < published; at++) {
      hub.publish({ type: "agent-connected", time, agent: `agent-${at}`, ...{ name: "n".repeat(100) } });
      // What is read goes out between them.
      if (at % 2_000 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    held.kill("SIGINT");
    assert.equal((await held.status).code, 0);
    await held.stdout.cancel();

    let shown = 0;
    let lost = 0;
    let text = "";
    // Where the sum is another one, it ends as well.
    const deadline = setTimeout(() => hub.close(), 120_000);
    for await (const piece of slow.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const event = JSON.parse(line);
        if (event.type === "lost") lost += event.count;
        else if (event.type === "agent-connected") shown++;
      }
      // The end of the program comes behind all events.
      if (shown + lost === published) hub.close();
    }
    clearTimeout(deadline);
    assert.equal(shown + lost, published);
    assert.ok(lost > 0 && shown > 0, `${lost} lost, ${shown} shown`);
    assert.equal((await slow.status).code, 0);
  },
);
