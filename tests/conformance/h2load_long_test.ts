import assert from "node:assert/strict";
import { h2Limits } from "../../src/h2/limits.ts";
import { rssBytes } from "../bench/process_figures.ts";
import { tellFigure } from "../support/assert/figures.ts";
import { neededTest } from "../support/assert/needed.ts";
import { until } from "../support/assert/until.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { calls, floodsOf, h2load, type JudgedPort, openFiles, whyNoH2load } from "./h2load.ts";

const burst = h2Limits.idleFrameBurst / h2Limits.answeredRequestCost;
const rate = h2Limits.idleFramesPerSecond / h2Limits.answeredRequestCost;
const mebibyte = 1024 * 1024;
/** By how much the server may be larger after many rounds than after the first ones, which warm it up. */
const growthMiB = 24;
const warmRounds = 5;
const rounds = 40;

neededTest(
  "h2load at the allowed rate is answered for as long as it goes on, also beyond what is allowed at once",
  whyNoH2load,
  async () => {
    await using rig = await FloodRig.start("grpc-uds");
    const connections = 2;
    const requests = connections * (burst + 500);
    // Above the allowed rate, so that what is allowed at once lasts until the end and no longer.
    const load = { requests, connections, streams: 10, rate: 2 * rate };
    const { errored, bodyBytes } = await h2load(rig, "clients", calls.health, load);
    assert.deepEqual([errored, bodyBytes], [0, calls.health.bodyBytes * requests]);
    assert.equal(await floodsOf(rig, "clients"), 0);
  },
);

neededTest("h2load, again and again, makes a server no larger", whyNoH2load, async (t) => {
  await using rig = await FloodRig.start("grpc-uds");
  const { pid } = rig.launched.server.program;
  const files = await openFiles(pid);
  const ports: readonly JudgedPort[] = ["clients", "agents"];
  let first = 0;
  for (let round = 1; round <= rounds; round++) {
    for (const port of ports) {
      for (const call of Object.values(calls)) {
        const { errored } = await h2load(rig, port, call, { requests: 9_000, connections: 10, streams: 10 });
        assert.equal(errored, 0);
      }
      // Each ends a connection as a flood.
      await h2load(rig, port, calls.health, { requests: 10_000, connections: 1, streams: 16 });
    }
    if (round === warmRounds) first = rssBytes(pid);
  }
  const last = rssBytes(pid);
  await tellFigure(
    t,
    `${Math.round(first / mebibyte)} MiB after ${warmRounds} rounds, ${Math.round(last / mebibyte)} after ${rounds}`,
  );
  assert.ok(last < first + growthMiB * mebibyte);
  await until("its connections are gone", async () => await openFiles(pid) <= files);
});
