import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { logRelayed, type RelayedRecord, relayLogs } from "./log_relay.ts";
import { formatJson } from "./log_json.ts";
import { formatText } from "./log_text.ts";

const settings = {
  loggingFormat: "text",
  verbosity: 4,
  vmodule: "",
  logtostderr: true,
  alsologtostderr: false,
  alsologtostderrthreshold: 0,
  stderrthreshold: 2,
  legacyStderrThresholdBehavior: true,
  logDir: "",
  logFile: "",
  logFileMaxSizeMib: 0,
  oneOutput: false,
  skipHeaders: true,
  skipLogHeaders: false,
} as const;

/** What arrives at the other thread, which gets copies. */
function relayed(log: () => void): RelayedRecord[] {
  const records: RelayedRecord[] = [];
  using _relay = relayLogs(settings, (record) => records.push(structuredClone(record)));
  log();
  return records;
}

/** Records as the other thread's log has them. */
function loggedFrom(records: readonly RelayedRecord[], worker: number): LogRecord[] {
  const logged: LogRecord[] = [];
  configureSync({
    sinks: { test: (record) => logged.push(record) },
    loggers: [
      { category: [], sinks: ["test"], lowestLevel: "trace" },
      { category: ["logtape", "meta"], lowestLevel: "error", parentSinks: "override" },
    ],
  });
  for (const record of records) logRelayed(record, worker);
  resetSync();
  return logged;
}

Deno.test("a worker's record is logged with its words, its time and the worker's number", () => {
  const records = relayed(() => {
    getLogger(["server", "agents"]).warn("agent {agentId} was refused: {error}", {
      agentId: "a1",
      error: new Error("no"),
      id: 12n,
      bytes: new Uint8Array(3),
      onClose: () => {},
      nothing: undefined,
      token: "hush",
      inner: { token: "hush" },
    });
  });
  const [record] = loggedFrom(records, 3);
  assert.ok(record !== undefined);
  assert.deepEqual(record.category, ["server", "agents"]);
  assert.equal(record.timestamp, records[0]?.timestamp);
  const text = formatText(record, { pid: 1, skipHeaders: true });
  assert.match(text, /^agent a1 was refused: no worker="3" id="12" bytes="<3 bytes>" /);
  assert.doesNotMatch(text, /hush/);
  assert.equal(JSON.parse(formatJson(record)).worker, 3);
});

Deno.test("what the verbosity hides is not sent", () => {
  const records = relayed(() => {
    getLogger(["server"]).info("shown {value}", { value: "{braces}" });
    getLogger(["server"]).debug("hidden");
    getLogger(["server"]).info`tagged ${1} {not a name}`;
  });
  const texts = loggedFrom(records, 0).map((record) => formatText(record, { pid: 1, skipHeaders: true }));
  assert.deepEqual(texts, ['shown {braces} worker="0"\n', 'tagged 1 {not a name} worker="0"\n']);
});
