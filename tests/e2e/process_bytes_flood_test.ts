/** One flood of bytes, frames or requests for each listener of the programs; process_bytes_flood_long_test.ts has the others. */
import { leakTest } from "../support/assert/leak_free.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { flooded, floodedUntilClosed } from "./flooded_programs.ts";

leakTest("floods over HTTP/2 and on a direct link take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("grpc-uds");
  const resets = "grpc: rapid resets";
  await flooded(t, rig, resets, await rig.frontend());
  await flooded(t, rig, "link: pings, answers unread", await rig.agents());
  await floodedUntilClosed(rig, "flood", resets, await rig.frontend());
});

leakTest("floods of HTTP CONNECT and of a port of pages take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("connect-uds");
  const requests = "connect: pipelined GETs, answers unread";
  await flooded(t, rig, requests, await rig.frontend());
  await floodedUntilClosed(rig, "flood", requests, await rig.frontend());
  await flooded(t, rig, "pages: pipelined scrapes, answers unread", { port: rig.launched.server.healthPort });
});
