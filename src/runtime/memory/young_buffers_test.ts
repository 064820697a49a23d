import assert from "node:assert/strict";
import { runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { youngCollector } from "./young_buffers.ts";

Deno.test("young garbage is collected after every so many bytes, and not otherwise", () => {
  const collected: string[] = [];
  const read = youngCollector(({ type }) => collected.push(type), 100);
  for (let i = 0; i < 9; i++) read(11);
  assert.deepEqual(collected, []);
  read(1);
  assert.deepEqual(collected, ["minor"]);
  read(99);
  read(500);
  assert.deepEqual(collected, ["minor", "minor"]);
});

Deno.test("without the engine's collector nothing is asked for", () => {
  const read = youngCollector(undefined, 1);
  read(1000);
});

/** Reads many full buffers with the engine's own flags and these. @returns what the process keeps of them, in bytes */
async function keptAfterReading(...flags: string[]): Promise<number> {
  const script = `
  import { connect, createServer } from "node:net";
  const rounds = 3, bytes = 64 * 1024 * 1024;
  const server = createServer((socket) => socket.end(new Uint8Array(bytes)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const settle = () => { for (let i = 0; i < 3; i++) gc({ type: "major" }); };
  settle();
  const before = Deno.memoryUsage().rss;
  for (let round = 0; round < rounds; round++) {
    const socket = connect(server.address().port, "127.0.0.1");
    let since = 0;
    socket.on("data", (chunk) => {
      since += chunk.length;
      if (since < 16 * 1024 * 1024) return;
      since = 0;
      gc({ type: "minor" });
    });
    await new Promise((resolve) => socket.on("close", resolve));
  }
  settle();
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log(Deno.memoryUsage().rss - before);
  Deno.exit(0);`;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-net=127.0.0.1",
      `--v8-flags=${["--expose-gc", ...flags].join(",")}`,
      `data:text/javascript,${encodeURIComponent(script)}`,
    ],
    stdin: "null",
    stderr: "null",
  }).output();
  assert.ok(success);
  return Number(new TextDecoder().decode(stdout));
}

runtimeFault(
  "this runtime keeps buffers for reading with the threads that have freed them, where nobody uses them again",
  { file: "src/runtime/engine_flags.ts", then: "leave out --no-concurrent-array-buffer-sweeping" },
  async () => {
    const [bare, mended] = [await keptAfterReading(), await keptAfterReading("--no-concurrent-array-buffer-sweeping")];
    return bare > mended + 4 * 1024 * 1024;
  },
);
