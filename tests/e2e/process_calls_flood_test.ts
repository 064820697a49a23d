import assert from "node:assert/strict";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";

/** What the server may hold while it is flooded, in MiB; without floods it has 80. */
const memoryLimitMiB = 300;
const seconds = 3;

async function refusals({ launched }: FloodRig): Promise<number> {
  const { body } = await httpGet(launched.server.healthPort, "/metrics");
  return [...body.matchAll(/_calls_refused_total\{[^}]*\} (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Each with the listener that it floods, and whether some of its calls are refused for their number. */
const floods: readonly (readonly [name: string, listener: "frontend" | "agents", refused: boolean])[] = [
  ["grpc: gzip to health checks", "frontend", false],
  ["grpc: messages announced with 4 GiB", "frontend", false],
  ["grpc: streamed unary of gRPC", "frontend", false],
  ["grpc: streamed unary of Connect", "frontend", false],
  ["grpc: streamed unary of gRPC-Web", "frontend", false],
  ["grpc: watches", "frontend", true],
  ["agents: 10,000 links on one connection", "agents", true],
];

for (const [title, flags] of [["own", []], ["the runtime's", ["--http2=runtime"]]] as const) {
  for (const [name, listener, refused] of floods) {
    leakTest(`${title} HTTP/2: a flood (${name}) takes neither memory nor a neighbour's turns`, async () => {
      await using rig = await FloodRig.start("grpc-uds", { serverFlags: flags });
      const { answers, serverMiB } = await rig.flood(name, seconds, await rig[listener]());
      // How quickly it is answered depends on the machine: tests/bench/floods.ts says it.
      assert.ok(answers > 1, `${answers} round trips of the neighbour`);
      assert.ok(serverMiB < memoryLimitMiB, `${serverMiB} MiB`);
      if (refused) assert.ok(await refusals(rig) > 0, "what is refused for its number is counted");
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
