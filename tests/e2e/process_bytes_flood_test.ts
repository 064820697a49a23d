/** One flood of bytes, frames or requests for each listener of the programs; process_bytes_flood_long_test.ts has the others. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { closed, flooded } from "./flooded_programs.ts";

leakTest("floods over HTTP/2 and on a direct link take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("grpc-uds");
  await flooded(t, rig, "grpc: rapid resets", await rig.frontend());
  await flooded(t, rig, "link: pings, answers unread", await rig.agents());
  assert.ok(await closed(rig, "flood") > 0, "what was closed is counted");
});

leakTest("floods of HTTP CONNECT and of a port of pages take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("connect-uds");
  await flooded(t, rig, "connect: pipelined GETs, answers unread", await rig.frontend());
  assert.ok(await closed(rig, "flood") > 0, "what was closed is counted");
  await flooded(t, rig, "pages: pipelined scrapes, answers unread", { port: rig.launched.server.healthPort });
});
