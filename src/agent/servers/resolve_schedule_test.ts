import assert from "node:assert/strict";
import { ResolveSchedule } from "./resolve_schedule.ts";
import { serverSetTimes } from "./server_set_options.ts";

Deno.test("names are resolved at once, then at intervals that are shorter while a server is missing or announced", () => {
  const schedule = new ResolveSchedule(serverSetTimes);
  assert.equal(schedule.nextAt(0, false), -Infinity);
  schedule.begin(0);
  assert.equal(schedule.nextAt(0, true), Infinity, "one resolution at a time");
  schedule.done();
  assert.equal(schedule.nextAt(0, false), serverSetTimes.resolveMs);
  assert.equal(schedule.nextAt(0, true), serverSetTimes.missingResolveMs);
  schedule.announced(500);
  assert.equal(schedule.nextAt(500, true), serverSetTimes.announcedResolveMs);
  const later = 500 + serverSetTimes.announcedMs;
  assert.equal(schedule.nextAt(later, true), serverSetTimes.missingResolveMs);
});

Deno.test("a result that expires while it is awaited is resolved again once it is there", () => {
  const schedule = new ResolveSchedule(serverSetTimes);
  schedule.begin(0);
  schedule.expire();
  assert.equal(schedule.nextAt(10, true), Infinity);
  schedule.done();
  assert.equal(schedule.nextAt(10, true), -Infinity);
});
