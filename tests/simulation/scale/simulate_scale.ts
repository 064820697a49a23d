/**
 * Large fleets: `deno task simulate:scale [--quick]`. Agents with their real decisions up to the sizes that one process carries, a
 * model of the rest beyond; writes docs/bench/scale.md and its curves.
 */
import { parseArgs } from "node:util";
import { plotSvg } from "../../bench/plot.ts";
import { type Measured, plots, scalePage } from "./scale_page.ts";
import { recoveries } from "./recoveries.ts";

const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));

/** Without tokens, and with tokens that are reviewed at the default rate. */
const agents = [100, 300, 1_000, 3_000, 5_000];
const quickAgents = [100, 300];
const tokenAgents = [100, 300, 1_000];

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const sizes = values.quick ? quickAgents : agents;
const measured: Measured[] = [];
for (const reviewsPerSecond of [undefined, 5]) {
  for (const count of sizes) {
    if (reviewsPerSecond !== undefined && !tokenAgents.includes(count)) continue;
    const size = { servers: 3, agents: count, ...(reviewsPerSecond === undefined ? {} : { reviewsPerSecond }) };
    measured.push({ size, recoveries: await recoveries(size) });
    print(`3 servers, ${count} agents${reviewsPerSecond === undefined ? "" : " with tokens"}: done`);
  }
}
if (!values.quick) {
  const size = { servers: 10, agents: 1_000 };
  measured.push({ size, recoveries: await recoveries(size) });
}
const folder = new URL("../../../docs/bench/", import.meta.url);
for (const [name, plot] of Object.entries(plots(measured))) {
  await Deno.writeTextFile(new URL(`scale-${name}.svg`, folder), plotSvg(plot));
}
await Deno.writeTextFile(new URL("scale.md", folder), scalePage(measured));
print("wrote docs/bench/scale.md");
