/**
 * `deno task fuzz`: a structured fuzz of all listeners and of agents, with real processes. Flags: --seconds (60), --seed
 * (random), --hang-ms (5000), --concurrency (12),
 * --settle (45, seconds without scripts before memory is measured), --servers=NAME,… . Exit code 1 and the faults when something died, hung, stalled or grew.
 * @module
 */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    concurrency: { type: "string", default: "12" },
    "hang-ms": { type: "string", default: "5000" },
    settle: { type: "string", default: "45" },
    servers: { type: "string" },
  },
});
const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));
print(`seed ${values.seed}, ${values.seconds} s`);
const result = await fuzz({
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  hangMs: Number(values["hang-ms"]),
  settleSeconds: Number(values.settle),
  concurrency: Number(values.concurrency),
  ...(values.servers === undefined ? {} : { servers: values.servers.split(",") }),
  report: print,
});
for (const [name, count] of [...result.counts].toSorted()) print(`${count}\t${name}`);
for (const { program, early, late } of result.growth) {
  print(
    `${program}: ${early.residentMiB} then ${late.residentMiB} MiB, ` +
      `${early.descriptors} then ${late.descriptors} descriptors`,
  );
}
for (const [name, ms] of result.worstMs) print(`slowest round trip beside it, ${name}: ${ms} ms`);
print(
  `${result.connections} scripts, ${result.hostileLinks} of them on links of agents, ` +
    `${Math.round(result.sentBytes / 1e6)} MB sent, ${Math.round(result.receivedBytes / 1e6)} MB received`,
);
for (const fault of result.faults) print(`FAULT: ${fault}`);
Deno.exit(result.faults.length === 0 ? 0 : 1);
