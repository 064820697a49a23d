import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { launcherOf, Program } from "../support/processes/processes.ts";

/** What a program has said that refuses its flags. */
async function refused(role: "server" | "agent", ...flags: string[]): Promise<string> {
  const program = new Program(role, [...await launcherOf(role), ...flags]);
  assert.equal((await program.ended).code, 1, program.tail());
  await program.stop();
  return program.log;
}

leakTest("the options are in the log from -v=1 on, as with the original, also where they are refused", async () => {
  for (const role of ["server", "agent"] as const) {
    const missing = ["--ca-cert=/none", "--server-ca-cert=/none"][role === "agent" ? 0 : 1] ?? "";
    for (const [flags, shown] of [[[], true], [["-v=1"], true], [["-v=0"], false]] as const) {
      const log = await refused(role, missing, ...flags);
      assert.equal(log.includes(`options of proxy-${role} `), shown, `${role} ${flags.join()}: ${log}`);
      if (shown) assert.match(log, / (ca|serverCa)Cert="\/none"/i);
    }
  }
});

leakTest("log files say on which machine they were written, in their first lines and their names", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await refused("agent", "--ca-cert=/none", "--logtostderr=false", `--log-dir=${folder}`);
    const host = Deno.hostname().replace(/\..*$/, "");
    const files = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assert.ok(files.length > 0, "there are log files");
    for (const name of files) {
      assert.ok(name.startsWith(`proxy-agent.${host}.`), name);
      assert.ok((await Deno.readTextFile(`${folder}/${name}`)).includes(`\nRunning on machine: ${host}\n`), name);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
