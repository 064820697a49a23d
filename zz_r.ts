import { watchModules } from "./tests/fuzz/inputs/coverage.ts";
import { parseInput } from "./tests/fuzz/inputs/corpus.ts";
watchModules(new URL("./", import.meta.url).href, (path) => path.startsWith("src/"));
const { allTargets } = await import("./tests/fuzz/inputs/targets/all_targets.ts");
const { onFault } = await import("./src/faults/fault.ts");
Error.stackTraceLimit = 30;
onFault((p, e) => console.log("fault", p, e.stack));
const [name, file] = Deno.args;
for (const line of Deno.readTextFileSync(file ?? `tests/fuzz/found/${name}.txt`).split("\n")) { if (!line.startsWith('"')) continue;
try { const t = performance.now(); await allTargets.find((t) => t.name === name)!.run(parseInput(line)); console.log("ok", performance.now() - t); } catch (e) { console.log(e.stack.slice(0, 1500)); } }
Deno.exit(0);
