import assert from "node:assert/strict";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { type CallsFlood, floodsWithCalls } from "./calls_flood.ts";

const floods: readonly CallsFlood[] = [
  ["grpc: gzip to health checks", "frontend", false],
  ["grpc: messages announced with 4 GiB", "frontend", false],
  ["grpc: streamed unary of gRPC", "frontend", false],
  ["grpc: streamed unary of Connect", "frontend", false],
  ["grpc: streamed unary of gRPC-Web", "frontend", false],
  ["agents: 10,000 links on one connection", "agents", true],
];

for (const [title, flags] of [["own", []], ["the runtime's", ["--http2=runtime"]]] as const) {
  for (const flood of floods) {
    leakTest(`${title} HTTP/2: a flood (${flood[0]}) takes neither memory nor a neighbour's turns`, async () => {
      await floodsWithCalls(flood, ...flags);
    });
  }
}

leakTest(
  "agents that come and go in a loop write a bounded number of lines, under one id or ever new ones",
  async () => {
    await using rig = await FloodRig.start("grpc-uds");
    const target = await rig.agents();
    const { program } = rig.launched.server;
    for (const name of ["link: an agent comes and goes", "link: agents come and go"]) {
      const before = program.log.length;
      const { flooded } = await rig.flood(name, 6, target);
      const lines = program.log.slice(before).split("\n").length;
      // 200 at once and 20 a second of each kind of line: connected, disconnected.
      assert.ok(lines < 1_000, `${lines} lines for ${flooded.connections} links`);
    }
    assert.ok(program.log.includes("agents] agent"));
  },
);
