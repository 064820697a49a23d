import assert from "node:assert/strict";
import { failsAlone, runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { virtualMemory } from "./virtual_memory.ts";

const module = new URL("./virtual_memory.ts", import.meta.url).href;

/** Runs a script in the sandbox with a redirection of its standard input. */
async function sandboxed(script: string, redirection: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `exec "$0" eval --quiet --no-config "$1" ${redirection}`, Deno.execPath(), script],
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("a process in the sandbox knows its address space by the file that it was started with", async () => {
  const script = `
    import { virtualMemory } from "${module}";
    const kib = Number(/^VmSize:\\s+(\\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))[1]);
    const size = () => virtualMemory().size;
    const before = size();
    await Deno.permissions.revoke({ name: "read" });
    const hog = new ArrayBuffer(256 * 2 ** 20);
    console.log(JSON.stringify({ status: kib * 1024, before, grown: size() - before, hog: hog.byteLength }));`;
  const { status, before, grown, hog } = JSON.parse(await sandboxed(script, "</proc/self/statm"));
  assert.ok(Math.abs(before - status) < 64 * 2 ** 20, `${before} bytes, and ${status} by /proc/self/status`);
  assert.ok(grown >= hog && grown < hog + 64 * 2 ** 20, `${grown} bytes more for ${hog}`);
});

Deno.test("of any other standard input nothing is taken, and nobody waits for it", async () => {
  const script = `
    import { virtualMemory } from "${module}";
    const known = virtualMemory();
    console.log(known === undefined, await new Response(Deno.stdin.readable).text());`;
  assert.equal(await sandboxed(script, "</dev/null"), "true \n");
  assert.equal((await sandboxed(script, '<<"END"\n1 2 3 4 5 6 7\nEND')).trim(), "true 1 2 3 4 5 6 7");
  const piped = await new Deno.Command("sh", {
    args: ["-c", `{ sleep 1; echo late; } | "$0" eval --quiet --no-config "$1"`, Deno.execPath(), script],
  }).output();
  assert.equal(new TextDecoder().decode(piped.stdout).trim(), "true late");
  assert.equal(virtualMemory(9_999), undefined);
});

const opened = { file: "src/runtime/memory/virtual_memory.ts", then: "read /proc/self/statm instead" };

runtimeFault(
  "this runtime opens /proc/self only for programs that may do everything",
  opened,
  () => failsAlone("--allow-read", "Deno.readTextFileSync('/proc/self/statm')"),
);
