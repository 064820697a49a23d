import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { RelayReceipts } from "./relay_bound.ts";
import { RelayedLog, type RelayedRecord, relayLogs } from "./log_relay.ts";
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
  const log = new RelayedLog(worker, () => {});
  for (const record of records) log.log(record);
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

Deno.test("a thread that reads nothing has a bounded number of records to read, and learns how many it missed", () => {
  const limitChars = 8_000;
  const sent: RelayedRecord[] = [];
  using relay = relayLogs(settings, (record) => sent.push(structuredClone(record)), limitChars);
  const logger = getLogger(["server"]);
  // Of different kinds, or the limiter of repeated messages would bound them.
  const flood = (count: number) => {
    for (let at = 0; at < count; at++) logger.warn(`kind ${at} {text}`, { text: "x".repeat(400) });
  };
  flood(100);
  const missed = 100 - sent.length;
  assert.ok(sent.length >= 9 && sent.length <= 20, String(sent.length));
  assert.ok(sent.reduce((sum, { chars }) => sum + chars, 0) <= limitChars);

  const receipts = new RelayReceipts((chars) => relay.acknowledged(chars), limitChars);
  const read = () => {
    for (const { chars } of sent.splice(0)) receipts.read(chars);
  };
  read();
  const told = sent.map((record) => record.message.join(""));
  assert.deepEqual(told, [`dropped ${missed} records because the log's thread read them too slowly`]);

  // Nothing is dropped for as long as it reads.
  read();
  for (let round = 0; round < 50; round++) {
    logger.error(`round ${round} {text}`, { text: "y".repeat(1_500) });
    assert.deepEqual(sent.map(({ level }) => level), ["error"]);
    read();
  }
});

Deno.test("a record that was read is acknowledged with what it counted", () => {
  const records = relayed(() => {
    for (let at = 0; at < 3; at++) getLogger(["server"]).info(`kind ${at} {text}`, { text: "z".repeat(1_000) });
  });
  const acknowledged: number[] = [];
  const log = new RelayedLog(0, (chars) => acknowledged.push(chars), 8_000);
  for (const record of records) log.log(record);
  const [first = 0, ...others] = acknowledged;
  const each = records.map(({ chars }) => chars);
  assert.ok(each.every((chars) => chars > 2_000 && chars < 2_100), each.join());
  assert.equal(others.reduce((sum, chars) => sum + chars, first), each.reduce((sum, chars) => sum + chars));
});
