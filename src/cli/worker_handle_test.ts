import assert from "node:assert/strict";
import { until } from "../../tests/support/until.ts";
import { parseServerFlags } from "./server_flags.ts";
import type { ServerOptions } from "./server_options.ts";
import { WorkerError, WorkerHandle } from "./worker_handle.ts";
import { workerOptions } from "./worker_options.ts";

function options(...args: string[]): ServerOptions {
  const parsed = parseServerFlags(args, () => undefined);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

/** A worker that runs a script; `receive(message)` is called with what it is told. */
function scripted(script: string, answerLimitMs?: number): WorkerHandle {
  const code = `addEventListener("message", ({ data }) => receive(data)); ${script}; postMessage({ kind: "loaded" });`;
  return new WorkerHandle(7, `data:text/javascript,${encodeURIComponent(code)}`, answerLimitMs);
}

async function started(script: string, answerLimitMs?: number): Promise<WorkerHandle> {
  const worker = scripted(
    `const receive = (message) => {
      if (message.kind === "start") postMessage({ kind: "listening", socketFd: message.socketFd });
      else react(message);
    }; ${script}`,
    answerLimitMs,
  );
  await worker.load();
  assert.equal(await worker.start(options(), 12), 12);
  return worker;
}

function fails(work: Promise<unknown>, code: WorkerError["code"], message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof WorkerError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("the first worker has the command's id, the others have ids made from it, and all know how many there are", () => {
  const command = options("--server-id=s", "--server-count=2", "--workers=3");
  const each = [0, 1, 2].map((worker) => workerOptions(command, worker));
  assert.deepEqual(each.map(({ serverId }) => serverId), ["s", "s-worker-1", "s-worker-2"]);
  assert.deepEqual(each.map(({ serverCount }) => serverCount), [6, 6, 6]);
});

Deno.test("a worker that cannot load ends, with the reason", async () => {
  const worker = scripted(`throw new Error("bad code")`);
  await fails(worker.load(), "ended", /^worker 7 ended: .*bad code/);
  await fails(worker.ended, "ended", /bad code/);
  worker.terminate();
});

Deno.test("a server that cannot start is an error that names the worker", async () => {
  const worker = scripted(`const receive = () => postMessage({ kind: "failed", reason: "port in use" })`);
  await worker.load();
  await fails(worker.start(options(), undefined), "failed", /^worker 7: port in use$/);
  worker.terminate();
});

Deno.test("answers reach their questions, in whatever order they come", async () => {
  const worker = await started(
    `const ids = [];
    const react = ({ id }) => {
      ids.unshift(id);
      if (ids.length === 2) for (const id of ids) postMessage({ kind: "metrics", id, text: "text " + id });
    }`,
  );
  assert.deepEqual(await Promise.all([worker.metrics(), worker.metrics()]), ["text 1", "text 2"]);
  worker.terminate();
});

Deno.test("a worker is not ready until it says so, and one that does not answer is not waited for long", async () => {
  const worker = await started(`const react = () => postMessage({ kind: "readiness", reason: undefined })`, 20);
  assert.equal(worker.notReady, "starting");
  await fails(worker.metrics(), "silent", /^worker 7 did not answer in 0.02 s$/);
  await until("it is ready", () => worker.notReady === undefined);
  worker.terminate();
});

Deno.test("a worker that has ended is not ready, and answers nobody", async () => {
  const worker = await started(`const react = () => { throw new Error("it fell over") }`);
  await Promise.all([
    fails(worker.metrics(), "ended", /fell over/),
    fails(worker.stop(0), "ended", /fell over/),
    fails(worker.ended, "ended", /fell over/),
  ]);
  assert.match(worker.notReady ?? "", /fell over/);
  worker.terminate();
});
