import { configureSync, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { until } from "../../../../tests/support/assert/until.ts";
import { Descriptors } from "../../../net/edge/descriptors.ts";
import { parseServerFlags } from "../server_flags.ts";
import { WorkerError, WorkerHandle } from "./worker_handle.ts";

const count = 900;
const valueChars = 2_000;

/** A worker that logs as much as is read, several times what may wait for its reader in all; its server cannot start. */
const script = `
import { runServerWorker } from ${JSON.stringify(import.meta.resolve("./worker_main.ts"))};
import { getLogger } from ${JSON.stringify(import.meta.resolve("@logtape/logtape"))};
runServerWorker();
let at = 0;
const logSome = (more) => {
  for (const end = Math.min(${count}, at + more); at < end; at++) {
    // Each of a kind of its own, so that nothing but the relay holds one back.
    getLogger(["flood"]).warn("number " + at + " {text}", { text: "x".repeat(${valueChars}) });
  }
};
addEventListener("message", ({ data }) => {
  if (data.kind === "start") logSome(128);
  // About as many as were read.
  if (data.kind === "logRead") logSome(Math.floor(data.chars / ${2 * valueChars + 100}));
});
`;

Deno.test("a worker logs as much as the command reads, however much that is", async () => {
  const numbers: string[] = [];
  const others: string[] = [];
  configureSync({
    sinks: {
      test: ({ category, message }) => {
        if (category[0] === "flood") numbers.push(String(message[0]));
        else if (category[0] === "log") others.push(message.join(""));
      },
    },
    loggers: [
      { category: [], sinks: ["test"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: "error", parentSinks: "override" },
    ],
  });
  const parsed = parseServerFlags(["--server-cert=/nonexistent", "--server-key=/nonexistent"], () => undefined);
  assert.ok(parsed.kind === "options");
  const worker = new WorkerHandle(1, `data:text/javascript,${encodeURIComponent(script)}`);
  try {
    await worker.load();
    const { shared } = Descriptors.of(["client"], undefined);
    await assert.rejects(worker.start(parsed.options, undefined, shared), WorkerError);
    await until("all are logged", () => numbers.length === count);
    assert.deepEqual(numbers, Array.from({ length: count }, (_, at) => `number ${at} `));
    assert.deepEqual(others, []);
  } finally {
    worker.terminate();
    resetSync();
  }
});
