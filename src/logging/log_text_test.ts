import type { LogRecord } from "@logtape/logtape";
import assert from "node:assert/strict";
import { formatJson } from "./log_json.ts";
import { formatText } from "./log_text.ts";

const noon = new Date(2026, 10, 24, 6, 46, 52, 123).getTime();

function record(fields: Partial<LogRecord> = {}): LogRecord {
  return {
    category: ["server", "agents"],
    level: "info",
    message: ["agent ", "a1", " connected"],
    rawMessage: "agent {agentId} connected",
    timestamp: noon,
    properties: { agentId: "a1" },
    ...fields,
  };
}

const text = (fields: Partial<LogRecord>, skipHeaders = false) =>
  formatText(record(fields), { pid: 12345, skipHeaders });

Deno.test("a text line has klog's header: severity, date, time, process, and where it comes from", () => {
  assert.equal(text({}), "I1124 06:46:52.123000   12345 server/agents] agent a1 connected\n");
  assert.equal(text({ level: "warning" })[0], "W");
  assert.equal(text({ level: "error" })[0], "E");
  assert.equal(text({ level: "fatal" })[0], "F");
  assert.equal(text({ level: "debug" })[0], "I");
  assert.equal(text({}, true), "agent a1 connected\n");
});

Deno.test("properties that the message does not show follow it as key=value, those that it shows are not repeated", () => {
  const line = text(
    { properties: { agentId: "a1", address: "10.0.0.7:80", tunnels: 3, id: 9n, gone: undefined } },
    true,
  );
  assert.equal(line, 'agent a1 connected address="10.0.0.7:80" tunnels="3" id="9"\n');
});

Deno.test("an error is shown with its causes, each once", () => {
  const cause = new Error("connection refused");
  const error = new Error("cannot reach 10.0.0.7", { cause: new Error("dial failed: connection refused", { cause }) });
  const line = text({ properties: { agentId: "a1", error } }, true);
  assert.equal(line, 'agent a1 connected error="cannot reach 10.0.0.7: dial failed: connection refused"\n');
});

Deno.test("a peer cannot forge a line, drive a terminal or flood a line", () => {
  const forged = text({ message: ["agent ", "x\nE1124 fake\u001b[31m", " connected"] }, true);
  assert.equal(forged, "agent x\\nE1124 fake\\u001b[31m connected\n");
  const flood = text({ message: ["agent ", "y".repeat(5_000_000), " connected"] });
  assert.ok(flood.length < 3_000);
  assert.ok(flood.includes("(4997952 more)"));
});

Deno.test("values that cannot be written as JSON do not break the line", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  assert.equal(text({ properties: { cycle } }, true), 'agent a1 connected cycle="[object Object]"\n');
  assert.equal(text({ properties: { data: new Uint8Array(7) } }, true), 'agent a1 connected data="<7 bytes>"\n');
  assert.equal(
    text({ properties: { list: [1n, { token: "x" }] } }, true),
    'agent a1 connected list="[\\"1\\",{\\"token\\":\\"[redacted]\\"}]"\n',
  );
});

Deno.test("a secret reaches neither format", () => {
  const secret = "s3cr3t-value";
  const fields = {
    message: ["headers ", { authorization: `Bearer ${secret}` }, " refused"],
    rawMessage: "headers {headers} refused",
    properties: { headers: { authorization: `Bearer ${secret}` }, token: secret, error: new Error(`Bearer ${secret}`) },
  };
  for (const line of [text(fields), formatJson(record(fields))]) {
    assert.ok(!line.includes(secret), line);
    assert.ok(line.includes("[redacted]"));
  }
});

Deno.test("a JSON line has the fields of Kubernetes' JSON logs and every property", () => {
  const line = formatJson(record({ properties: { agentId: "a1", tunnels: 3, id: 9n, msg: "mine", at: { port: 80 } } }));
  assert.ok(line.endsWith("}\n"));
  assert.deepEqual(JSON.parse(line), {
    ts: noon,
    level: "info",
    logger: "server.agents",
    msg: "agent a1 connected",
    v: 0,
    agentId: "a1",
    tunnels: 3,
    id: "9",
    msg_: "mine",
    at: { port: 80 },
  });
});

Deno.test("a JSON line tells the verbosity of messages, and none for warnings and errors", () => {
  assert.equal(JSON.parse(formatJson(record({ level: "debug" }))).v, 5);
  assert.equal(JSON.parse(formatJson(record({ level: "trace" }))).v, 6);
  assert.ok(!("v" in JSON.parse(formatJson(record({ level: "error" })))));
});

Deno.test("a JSON line stays one object whatever a peer sends", () => {
  const nasty = 'a\n"}{authorization: "x", \u2028 -----BEGIN PRIVATE KEY-----';
  const line = formatJson(record({ message: ["agent ", nasty, ""], properties: { agentId: nasty } }));
  assert.equal(line.split("\n").length, 2);
  assert.equal(typeof JSON.parse(line).msg, "string");
});
