import assert from "node:assert/strict";
import { tellFigure } from "../../support/assert/figures.ts";
import { launcherOf } from "../../support/processes/processes.ts";
import { MemoryGroup, memoryGroups } from "../../support/processes/memory_group.ts";
import { transfers } from "../../support/processes/transfers.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";

const mebibyte = 1024 * 1024;
const limitMiB = 100;
const transferBytes = 4_000_000;
const groups = await memoryGroups();
const machine = typeof groups === "string" ? groups : undefined;
/** Transfers at once: the second version of control groups counts what the kernel holds for sockets too. */
const count = groups === 2 ? 8 : 48;

faultTest("server and agent have 100 MiB each, and many move bytes at once", async (t) => {
  await using server = MemoryGroup.open(limitMiB * mebibyte);
  await using agent = MemoryGroup.open(limitMiB * mebibyte);
  await using world = await FaultWorld.start("grpc-uds", {
    serverCommand: server.command(...await launcherOf("server")),
    agentCommand: agent.command(...await launcherOf("agent")),
  });
  await transfers(world.launched, count, transferBytes);
  await world.end();
  for (const [name, group] of [["server", server], ["agent", agent]] as const) {
    assert.equal(group.kills, 0, name);
    const { peakBytes } = group;
    if (peakBytes !== undefined) await tellFigure(t, `${name}: ${(peakBytes / mebibyte).toFixed(1)} MiB at most`);
  }
}, { machine });
