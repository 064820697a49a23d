import assert from "node:assert/strict";
import { freePort } from "../support/processes/free_port.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { built } from "../support/processes/built_launchers.ts";

/** Flags of the runtime that a process was started with. */
async function grantedTo(pid: number): Promise<readonly string[]> {
  const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
  return words.slice(0, words.indexOf("test-server")).filter((word) => /^--(allow|deny|v8|unsafely)/.test(word));
}

export const hostileNames = [
  'it\'s * a "log" $HOME `file`.log',
  "--allow-all",
  "-A",
  "$(touch made-by-a-name)",
  "${IFS}--allow-run",
  "x --allow-all y",
  "x\t--allow-all",
  ";touch made-by-a-name;",
  "*",
  "?[a-z]*",
  "~",
  "%s%n\\n\\",
  "=",
  "#",
  " ",
  "Straße \u202e.log",
];

/** A path reaches the program as it is and grants itself alone, whatever signs are in it. */
export async function grantsItselfAlone(hostileNames: readonly string[]): Promise<void> {
  const folder = await built();
  const launch = new URL("../../tools/launch.sh", import.meta.url).pathname;
  const logs = await Deno.makeTempDir({ prefix: "konnectivity-names-" });
  const commands = [[`${folder}/bin/http-test-server`], ["sh", launch, "test-server"]];
  for (const [at, name] of hostileNames.entries()) {
    const port = await freePort();
    const file = `${logs}/${name}`;
    const program = new Program("http-test-server", [
      ...(commands[at % commands.length] ?? []),
      `--server-port=${port}`,
      "--logtostderr=false",
      "--log-file",
      file,
    ]);
    await until("it answers", async () => {
      assert.equal(program.status, undefined, program.log);
      return (await httpGet(port, "/success")).status === 200;
    });
    const granted = await grantedTo(program.pid);
    program.signal("SIGTERM");
    assert.equal((await program.ended).code, 0, program.log);
    await program.stop();
    const own = [
      `--allow-net=127.0.0.1:${port}`,
      `--allow-read=${file}`,
      `--allow-write=${file}`,
      "--allow-sys=uid,hostname",
    ];
    assert.deepEqual(granted.filter((flag) => flag.startsWith("--allow")), own, name);
    assert.match(await Deno.readTextFile(file), /serving test pages/, name);
  }
  const names = await Array.fromAsync(Deno.readDir(logs), (entry) => entry.name);
  assert.deepEqual(names.sort(), [...hostileNames].sort());
  await Deno.remove(logs, { recursive: true });
}
