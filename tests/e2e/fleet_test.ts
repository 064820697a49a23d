import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { isExcused } from "../support/in_process/steady_load.ts";
import { servesThroughChanges } from "./fleet_story.ts";

Deno.test("what excuses a failed request: its server or an agent was killed meanwhile, or its server was to stop before it dialled", () => {
  const request = (startedAt: number, dialledAt: number, endedAt: number, server = "a") => ({
    server,
    startedAt,
    dialledAt,
    endedAt,
  });
  const serverKilled = [{ name: "", server: "a", killed: true, from: 10, to: 20 }];
  assert.ok(isExcused(request(5, 6, 12), serverKilled), "in flight");
  assert.ok(isExcused(request(15, Infinity, 16), serverKilled), "not there yet");
  assert.ok(!isExcused(request(5, 6, 9), serverKilled), "before");
  assert.ok(!isExcused(request(21, Infinity, 25), serverKilled), "after");
  assert.ok(!isExcused(request(5, 6, 12, "b"), serverKilled), "through another server");
  const agentKilled = [{ name: "", server: undefined, killed: true, from: 10, to: 20 }];
  assert.ok(isExcused(request(5, 6, 12, "b"), agentKilled), "through any server");
  const drained = [{ name: "", server: "a", killed: false, from: 10, to: 20 }];
  assert.ok(!isExcused(request(5, 6, 12), drained), "its tunnel was open");
  assert.ok(isExcused(request(5, 11, 12), drained), "its tunnel was not open yet");
  assert.ok(isExcused(request(15, Infinity, 16), drained), "refused");
});

leakTest(
  "a fleet of 3 servers and 2 agents serves every request that can be served, while it grows and loses an agent",
  (t) => servesThroughChanges(t, 2, false),
);
