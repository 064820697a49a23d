/** Floods of bytes, frames and requests against the programs themselves; `tests/bench/floods.ts` prints their figures. */
import { leakTest } from "../support/assert/leak_free.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { flooded, floodedUntilClosed } from "./flooded_programs.ts";

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
  await floodedUntilClosed(rig, "flood", "grpc: rapid resets", target);
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
  await floodedUntilClosed(rig, "flood", "connect: pipelined GETs, answers unread", target);
  await floodedUntilClosed(rig, "bad_request", "connect: heads of 900 kB", target);
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
