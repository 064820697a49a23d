import assert from "node:assert/strict";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { fileURLToPath } from "node:url";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { endLater } from "./http2_guard.ts";

const program = fileURLToPath(new URL("../../../tests/support/processes/guarded_listener.ts", import.meta.url));

/** So many that the runtime uses the freed memory again: without the guard the process ended at some 400 or before. */
const visits = 700;

leakTest("HTTP/2 clients that leave in order do not end the process that serves them", async () => {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/s`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, path],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const output = child.stdout.getReader();
  try {
    assert.equal(new TextDecoder().decode((await output.read()).value), "listening\n");
    for (let at = 0; at < visits; at++) {
      await visit(path).catch(async (error) => {
        kill(child);
        assert.fail(`visit ${at}: ${error.message}; the process said ${await errors}`);
      });
    }
  } finally {
    kill(child);
    await output.cancel();
    await errors;
    await child.status;
    await Deno.remove(dir, { recursive: true });
  }
});

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill();
  } catch (error) {
    // It ended by itself, which the test tells.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** One client: 20 calls at once, which end; then it leaves. Rejects when the server cannot be reached. */
async function visit(path: string): Promise<void> {
  const session = connect("http://localhost", { createConnection: () => connectSocket(path) });
  endLater(session);
  const closed = new Promise<void>((resolve) => session.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    session.once("error", reject);
    session.once("remoteSettings", () => resolve());
  });
  session.on("error", () => {});
  await Promise.all(Array.from({ length: 20 }, () => {
    const stream = session.request({ ":method": "POST", ":path": "/x", "content-type": "application/grpc" }, {
      endStream: false,
    });
    stream.on("error", () => {});
    stream.resume();
    stream.end();
    return new Promise<void>((resolve) => stream.once("close", () => resolve()));
  }));
  // Once nothing is in flight: the server then ends the session as it reads of the client's leaving.
  await new Promise((resolve) => setTimeout(resolve, 2));
  session.destroy();
  await closed;
}
