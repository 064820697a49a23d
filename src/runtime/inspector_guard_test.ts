import assert from "node:assert/strict";

// A process that is not guarded: it says so when the runtime has had the time to look out for the signal.
const unguarded = `setTimeout(() => console.log("up"), 1_500); setTimeout(() => {}, 3_600_000);`;

Deno.test("this runtime opens its inspector at SIGUSR1, in spite of its permissions", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    // Without --quiet the runtime says what it does with the inspector.
    args: ["run", "--no-prompt", "--deny-net", "--deny-sys", `data:text/javascript,${encodeURIComponent(unguarded)}`],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    const output = child.stdout.getReader();
    await output.read();
    child.kill("SIGUSR1");
    let said = "";
    const mended = setTimeout(() => child.kill("SIGKILL"), 60_000);
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      // The second one where another process has the port.
      if (/Debugger listening on|Failed to start inspector server/.test(said)) break;
    }
    clearTimeout(mended);
    assert.match(
      said,
      /Debugger listening on|Failed to start inspector server/,
      "mended upstream: remove the workaround in src/runtime/inspector_guard.ts, but keep a listener for SIGUSR1",
    );
    await output.cancel();
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
  }
});
