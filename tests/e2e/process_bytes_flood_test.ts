/** Floods of bytes, frames and requests against the programs themselves; `tests/bench/floods.ts` prints their figures. */
import assert from "node:assert/strict";
import type { FloodTarget } from "../support/floods/flood_acts.ts";
import { type FloodFigures, FloodRig } from "../support/floods/flood_rig.ts";
import { tellFigure } from "../support/assert/figures.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";

/** What either program may hold while it is flooded, in MiB; without floods a server has 80. */
const memoryLimitMiB = 300;
const seconds = 3;

/** How many connections a server has closed for a reason. */
async function closed({ launched }: FloodRig, reason: string): Promise<number> {
  const { body } = await httpGet(launched.server.healthPort, "/metrics");
  const lines = [...body.matchAll(/_connections_closed_total\{([^}]*)\} (\d+)/g)];
  return lines.filter(([, labels]) => labels?.includes(`reason="${reason}"`)).reduce(
    (sum, line) => sum + Number(line[2]),
    0,
  );
}

async function flooded(
  t: Deno.TestContext,
  rig: FloodRig,
  name: string,
  target: FloodTarget,
  title: string = name,
): Promise<void> {
  await t.step(title, async (step) => {
    const figures: FloodFigures = await rig.flood(name, seconds, target);
    const { answers, answeredSeconds, worstMs, serverMiB, agentMiB } = figures;
    await tellFigure(step, `${answers} round trips, ${worstMs} ms at worst, ${serverMiB} and ${agentMiB} MiB`);
    // How quickly it is answered depends on the machine. Where one socket keeps others from being read it is not at all.
    assert.ok(answeredSeconds >= 2, JSON.stringify(figures));
    assert.ok(serverMiB < memoryLimitMiB && agentMiB < memoryLimitMiB, JSON.stringify(figures));
  });
}

leakTest("floods of requests over HTTP/2 take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("grpc-uds");
  const target = await rig.frontend();
  for (
    const name of [
      "grpc: health checks",
      "grpc: health checks, answers unread",
      "grpc: unknown calls",
      "grpc: unknown calls, answers unread",
      "grpc: refused GETs, answers unread",
      "grpc: Huffman headers",
      "grpc: Huffman headers of ten",
      "grpc: rapid resets",
      "grpc: silence after the preface",
    ]
  ) await flooded(t, rig, name, target);
  assert.ok(await closed(rig, "flood") > 0, "what was closed is counted");
});

leakTest("floods of frames on a direct link take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("grpc-uds");
  const target = await rig.agents();
  for (
    const name of [
      "link: status before a hello",
      "link: answers unread",
      "link: pings, answers unread",
      "link: silence",
    ]
  ) await flooded(t, rig, name, target);
});

leakTest("floods of HTTP CONNECT's listener take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("connect-uds");
  const target = await rig.frontend();
  for (
    const name of [
      "connect: pipelined GETs, answers unread",
      "connect: heads of 900 kB",
      "connect: bodies of refused requests",
      "connect: silence",
    ]
  ) await flooded(t, rig, name, target);
  assert.ok(await closed(rig, "flood") > 0, "what was closed is counted");
  assert.ok(await closed(rig, "bad_request") > 0, "what was closed is counted");
});

leakTest("floods of a port of pages take neither memory nor a neighbour's turns", async (t) => {
  await using rig = await FloodRig.start("connect-uds");
  const { server, agent } = rig.launched;
  for (const [whose, { healthPort }] of Object.entries({ server, agent })) {
    for (
      const name of [
        "pages: pipelined scrapes, answers unread",
        "pages: bodies in chunks of a byte",
        "pages: bodies without an end",
        "pages: bytes behind a CONNECT",
        "pages: no HTTP",
      ]
    ) await flooded(t, rig, name, { port: healthPort }, `${whose}: ${name}`);
  }
});
