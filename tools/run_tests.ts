/**
 * `deno task test`: all tests that need no Kubernetes API, in as many processes at a time as there are processors. Not
 * the runner's own `--parallel`: that runs files side by side in one process, whose open files could then not be told apart.
 * Further arguments go to the runner.
 * @module
 */

const processes = Math.max(1, Math.min(4, navigator.hardwareConcurrency));
/** More than processes, so that one with the slow files does not run on alone. */
const shards = 4 * processes;
const limitMs = 15 * 60_000;

interface Outcome {
  readonly code: number;
  readonly passed: number;
  readonly failed: number;
}

const encoder = new TextEncoder();

async function shard(number: number): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--quiet",
      "--no-check",
      "--ignore=tests/kube",
      `--shard=${number}/${shards}`,
      ...Deno.args,
    ],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let summary = "";
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (/^(ok|FAILED) \| \d+ passed/.test(line)) summary = line;
      // Whole lines, so that two shards do not write into each other's.
      await Deno.stdout.write(encoder.encode(`${line}\n`));
    }
  }
  const { code } = await child.status;
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(summary)?.[1] ?? 0);
  return { code, passed: count("passed"), failed: count("failed") };
}

const timer = setTimeout(() => {
  Deno.stderr.writeSync(encoder.encode(`the tests took longer than ${limitMs / 60_000} minutes\n`));
  Deno.exit(1);
}, limitMs);
const outcomes: Outcome[] = [];
let next = 1;
await Promise.all(Array.from({ length: processes }, async () => {
  while (next <= shards) outcomes.push(await shard(next++));
}));
clearTimeout(timer);
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
const good = outcomes.every((outcome) => outcome.code === 0) && passed > 0;
await Deno.stdout.write(
  encoder.encode(`\n${good ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed (all shards)\n`),
);
Deno.exit(good ? 0 : 1);
