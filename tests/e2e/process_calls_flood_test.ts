/** process_calls_flood_long_test.ts has the others. */
import { leakTest } from "../support/assert/leak_free.ts";
import { type CallsFlood, floodsWithCalls } from "./calls_flood.ts";

const floods: readonly CallsFlood[] = [
  ["grpc: watches", "frontend", true],
];

for (const [title, flags] of [["own", []], ["the runtime's", ["--http2=runtime"]]] as const) {
  for (const flood of floods) {
    leakTest(`${title} HTTP/2: a flood (${flood[0]}) takes neither memory nor a neighbour's turns`, async () => {
      await floodsWithCalls(flood, ...flags);
    });
  }
}

leakTest("own HTTP/2: a flood of links on one connection takes neither memory nor a neighbour's turns", async () => {
  await floodsWithCalls(["agents: 10,000 links on one connection", "agents", true]);
});
