import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { konnectivity, startKonnectivity } from "../support/processes/konnectivity.ts";
import { Launched } from "../support/processes/launched.ts";

/** Names in a folder, but those that were there before. */
async function namesIn(folder: string, before: ReadonlySet<string>): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).filter((name) => !before.has(name))
    .sort();
}

leakTest("an interrupted diag leaves no file, and one that was killed is in nobody's way", async () => {
  await using launched = await Launched.start("connect-uds");
  const { folder } = launched;
  const before = new Set(await namesIn(folder, new Set()));
  const args = [
    "diag",
    "--timeout=2m",
    `--admin=127.0.0.1:${launched.server.adminPort}`,
    "-o",
    `${folder}/diag.tar.gz`,
  ];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const running = await startKonnectivity([...args, "--events=600"]);
    await until("it takes events", () => /^events of .* are taken for 600 s$/m.test(running.log));
    assert.deepEqual(await namesIn(folder, before), ["diag.tar.gz.part"]);
    running.signal(signal);
    assert.equal((await running.ended).code, 1, running.log);
    await until("it says so", () => /^Error: interrupted: there is no archive$/m.test(running.log));
    assert.deepEqual(await namesIn(folder, before), []);
    await running.stop();
  }
  const killed = await startKonnectivity([...args, "--events=600"]);
  await until("it takes events", () => /^events of .* are taken for 600 s$/m.test(killed.log));
  killed.signal("SIGKILL");
  await killed.ended;
  await killed.stop();
  const { code, stderr } = await konnectivity([...args, "--events=0"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await namesIn(folder, before), ["diag.tar.gz"]);
});
