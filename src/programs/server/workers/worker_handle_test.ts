import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "../../../../tests/support/assert/until.ts";
import { parseServerFlags } from "../server_flags.ts";
import type { ServerOptions } from "../server_options.ts";
import { Descriptors } from "../../../net/edge/descriptors.ts";
import { WorkerError, WorkerHandle, type WorkerListener } from "./worker_handle.ts";
import { relayLimitChars } from "../../../logging/relay_bound.ts";
import type { RelayedEvents } from "../../../ops/events/event_relay.ts";
import { liveness } from "./liveness.ts";
import { workerOptions } from "./worker_options.ts";

const descriptors = Descriptors.of(["client"], undefined).shared;

function options(...args: string[]): ServerOptions {
  const parsed = parseServerFlags(args, () => undefined);
  return parsed.kind === "options" ? parsed.options : assert.fail(JSON.stringify(parsed));
}

/** A worker that runs a script; `receive(message)` is called with what it is told. */
function scripted(script: string, answerLimitMs?: number, listener?: WorkerListener): WorkerHandle {
  const code = `addEventListener("message", ({ data }) => receive(data)); ${script}; postMessage({ kind: "loaded" });`;
  return new WorkerHandle(7, `data:text/javascript,${encodeURIComponent(code)}`, listener, answerLimitMs);
}

async function started(
  script: string,
  answerLimitMs?: number,
  listener?: WorkerListener,
): Promise<WorkerHandle> {
  const worker = scripted(
    `const receive = (message) => {
      if (message.kind === "start") postMessage({ kind: "listening", socketFd: message.socketFd });
      else react(message);
    }; ${script}`,
    answerLimitMs,
    listener,
  );
  await worker.load();
  assert.equal(await worker.start(options(), 12, descriptors), 12);
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
  await fails(worker.start(options(), undefined, descriptors), "failed", /^worker 7: port in use$/);
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

Deno.test("what a worker has answered is garbage once whoever asked has it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = () => {
    collect();
    return Deno.memoryUsage().heapUsed;
  };
  const textChars = 30_000;
  // Texts that differ, each of them of its own memory.
  const worker = await started(
    `const react = ({ id }) => postMessage({ kind: "metrics", id, text: id + "x".repeat(${textChars}) })`,
  );
  for (let at = 0; at < 50; at++) await worker.metrics();
  const before = heap();
  for (let at = 0; at < 1000; at++) assert.ok((await worker.metrics()).length > textChars);
  const grown = heap() - before;
  worker.terminate();
  assert.ok(grown < 200 * textChars, `${grown} bytes for 1000 texts of ${textChars} characters`);
});

Deno.test("a worker that fails while it is asked answers every question with its reason, and each later one", async () => {
  const worker = await started(
    `let asked = 0;
    const react = () => { if (++asked === 3) postMessage({ kind: "failed", reason: "no memory" }); }`,
  );
  const questions = [worker.metrics(), worker.metrics(), worker.metrics()];
  await Promise.all(questions.map((question) => fails(question, "failed", /^worker 7: no memory$/)));
  await fails(worker.metrics(), "failed", /^worker 7: no memory$/);
  worker.terminate();
});

Deno.test("a worker whose metrics take long is alive, and probes that come at once cost it one answer", async () => {
  const worker = await started(
    `let pings = 0;
    const scrapes = [];
    const react = ({ kind, id }) => {
      if (kind === "ping") {
        postMessage({ kind: "pong", id });
        pings++;
      } else scrapes.push(id);
      if (scrapes.length < 2) return;
      for (const id of scrapes) postMessage({ kind: "metrics", id, text: pings + " pings" });
    }`,
  );
  const scrape = worker.metrics();
  assert.deepEqual(await Promise.all([liveness([worker]), liveness([worker])]), [undefined, undefined]);
  assert.equal(await worker.metrics(), "1 pings");
  assert.equal(await scrape, "1 pings");
  worker.terminate();
});

Deno.test("a worker whose event loop hangs is not alive, and neither is one that has ended", async () => {
  const hanging = await started(`const react = () => { for (;;); }`, 50);
  assert.equal(await liveness([hanging]), "worker 7 did not answer in 0.05 s");
  hanging.terminate();
  const ended = await started(`const react = () => { throw new Error("it fell over") }`);
  assert.match(await liveness([ended]) ?? "", /^worker 7 ended: .*fell over/);
  assert.match(await liveness([ended]) ?? "", /^worker 7 ended: .*fell over/);
  ended.terminate();
});

Deno.test("a worker that has not begun to listen is not asked for a sign of life", async () => {
  const worker = scripted(`const receive = () => {}`, 1);
  await worker.load();
  assert.equal(await liveness([worker]), undefined);
  worker.terminate();
});

Deno.test("a worker is told how much of its logs was read, and what its audit log lost is counted", async () => {
  const audit: string[] = [];
  const worker = await started(
    `const read = {};
    const react = ({ kind, chars, id }) => {
      if (kind === "metrics") postMessage({ kind, id, text: JSON.stringify(read) });
      else read[kind] = (read[kind] ?? 0) + chars;
    };
    const record = { category: ["test"], level: "debug", timestamp: 0, message: ["-"], rawMessage: "-", properties: {} };
    for (let at = 0; at < 64; at++) {
      postMessage({ kind: "log", record: { ...record, chars: 16 * 1024 } });
      postMessage({ kind: "audit", line: "x".repeat(8 * 1024) });
    }
    postMessage({ kind: "auditLost", count: 3 });`,
    undefined,
    { onAudit: (line) => audit.push(line) },
  );
  assert.deepEqual(JSON.parse(await worker.metrics()), { logRead: 1024 * 1024, auditRead: 512 * 1024 });
  assert.equal(audit.length, 64);
  assert.equal(worker.auditLost, 3);
  worker.terminate();
});

Deno.test("a worker is told which events are watched, also where that was known before it was loaded", async () => {
  const heard: RelayedEvents[] = [];
  const script = `const told = [];
    const receive = ({ kind, id, types }) => {
      told.push(types);
      if (id > 0) postMessage({ kind: "pong", id });
      postMessage({ kind: "events", events: { text: JSON.stringify(told), chars: 1, lost: 0 } });
    }`;
  const worker = scripted(script, undefined, { onEvents: (events) => heard.push(events) });
  await worker.watchEvents(["dial"]);
  await worker.load();
  await worker.watchEvents([]);
  await until("it has heard both", () => heard.length === 2);
  assert.equal(heard[1]?.text, JSON.stringify([["dial"], []]));
  worker.terminate();
});

Deno.test("events of a worker reach the command with its number, and are acknowledged in portions", async () => {
  const heard: string[] = [];
  const portion = relayLimitChars / 8;
  const worker = await started(
    `const send = (text, chars) => postMessage({ kind: "events", events: { text, chars, lost: 0 } });
    const react = ({ kind, id, chars }) => {
      if (kind === "watchEvents") postMessage({ kind: "pong", id });
      if (kind === "watchEvents") { send("first", ${portion - 1}); send("second", 1); }
      else send(kind + " " + chars, 1);
    }`,
    undefined,
    { onEvents: ({ text }, number) => heard.push(`${number} ${text}`) },
  );
  await worker.watchEvents(["dial"]);
  await until("the acknowledgement has come back", () => heard.length === 3);
  assert.deepEqual(heard, ["7 first", "7 second", `7 eventsRead ${portion}`]);
  worker.terminate();
});

Deno.test("who waits for a worker's readiness hears of each change, its end included", async () => {
  const reasons: (string | undefined)[] = [];
  const worker: WorkerHandle = await started(
    `const react = () => {
      postMessage({ kind: "readiness", reason: undefined });
      postMessage({ kind: "failed", reason: "broken" });
    }`,
    undefined,
    { onReadiness: () => reasons.push(worker.notReady) },
  );
  await assert.rejects(worker.watchEvents([]), /^WorkerError: worker 7: broken$/);
  await until("it has failed", () => reasons.length === 2);
  assert.deepEqual(reasons, [undefined, "worker 7: broken"]);
  worker.terminate();
});
