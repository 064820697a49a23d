import assert from "node:assert/strict";
import { ServerWorld } from "../../../../tests/support/memory/server_world.ts";
import { serverHealthApp } from "../../../ops/health.ts";
import { serverChecks, workersChecks } from "./readiness_checks.ts";

const metrics = { text: () => Promise.resolve(""), contentType: "text/plain" };
const probeEvents = { probeSucceeded: () => {}, probeFailed: () => {} };

Deno.test("/readyz?verbose lists what readiness is made of, and each destination that is probed", async () => {
  const probes = { destinations: ["a:1"], intervalMs: 1_000, timeoutMs: 1_000, readiness: true, events: probeEvents };
  const { server } = new ServerWorld({ probes });
  const descriptors: { noRoom?: string } = {};
  const app = serverHealthApp({
    readiness: () => server.notReady ?? descriptors.noRoom,
    checks: () => serverChecks(server, descriptors.noRoom),
    metrics,
  });
  const asked = async (path: string) => {
    const response = await app.request(path);
    return [response.status, await response.text()];
  };
  const failing = "[+]shutdown ok\n[-]agent-connected failed: no connection to any proxy agent\n[+]descriptors ok\n" +
    "[-]probes failed: no probe has reached its destination yet\n" +
    "[-]probe/a:1 failed (does not count by itself): not tried yet\ncheck failed\n";
  for (const path of ["/readyz?verbose", "/ready?verbose=false"]) assert.deepEqual(await asked(path), [500, failing]);
  assert.deepEqual(await asked("/readyz"), [500, "no connection to any proxy agent"]);
  descriptors.noRoom = "no descriptors";
  server.drain();
  const [, text = ""] = await asked("/readyz?verbose");
  assert.match(String(text), /^\[-\]shutdown failed: proxy server is shutting down\n/);
  assert.match(String(text), /\n\[-\]descriptors failed: no descriptors\n/);
});

Deno.test("with workers each of them is a check, and a destination is reached where all of them reach it", () => {
  const [a, b] = [{ destination: "a:1", failure: undefined }, { destination: "b:1", failure: undefined }];
  const timeout = { destination: "b:1", failure: "no answer in time" };
  const workers = [
    { number: 0, notReady: undefined, probes: [a, b] },
    { number: 1, notReady: "no connection to any proxy agent", probes: [a, timeout] },
    { number: 2, notReady: "starting", probes: [] },
  ];
  const shown = workersChecks(workers, false, undefined).map(({ name, failure, counts }) => [name, failure, counts]);
  assert.deepEqual(shown, [
    ["shutdown", undefined, true],
    ["worker/0", undefined, true],
    ["worker/1", "no connection to any proxy agent", true],
    ["worker/2", "starting", true],
    ["descriptors", undefined, true],
    ["probe/a:1", undefined, false],
    ["probe/b:1", "worker 1: no answer in time", false],
  ]);
});
