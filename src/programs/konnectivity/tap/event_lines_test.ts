import assert from "node:assert/strict";
import { shortSize, shortSpan } from "./amounts.ts";
import { EventLines, type LinePlace } from "./event_lines.ts";
import { EventFormError, EventParser } from "./event_parser.ts";
import { readEvent } from "./read_events.ts";

const time = "2026-11-30T18:29:47.509Z";
const client = { frontend: "grpc", name: "kube-apiserver", address: "10.0.0.1:50802" };
const bytes = { sent: 517, received: 4_096 };
const terminal: LinePlace = { colour: false, unicode: true, columns: 80 };
const pipe: LinePlace = { colour: false, unicode: false, columns: undefined };

/** Events of a server, one of each kind. */
const ofServer = [
  { type: "hello", time, version: 1, program: { name: "proxy-server", version: "0.37.0" }, id: "s", ready: true },
  { type: "agent-connected", time, agent: "agent-1", name: "node-7", address: "10.0.0.7:34920", link: "direct" },
  { type: "dial", time, client, destination: "10.1.2.3:10250", agent: "agent-1", outcome: "ok", ms: 9.78 },
  {
    ...{
      type: "dial",
      time,
      client,
      destination: "10.128.112.250:10250",
      agent: "agent-1",
      outcome: "failed",
      ms: 3.403,
    },
    ...{ reason: "error_response", message: "dial tcp 10.128.112.250:10250: connect: connection refused" },
  },
  {
    type: "dial",
    time,
    client,
    destination: "10.1.2.4:80",
    outcome: "failed",
    ms: 0.1,
    reason: "no_agent",
    message: "no",
  },
  {
    ...{ type: "tunnel-closed", time, client, destination: "10.1.2.3:10250", agent: "agent-1", seconds: 0.025, bytes },
    ...{ reason: "closed", initiator: "client" },
  },
  {
    ...{ type: "tunnel-closed", time, client, destination: "10.1.2.3:10250", agent: "agent-1", seconds: 86_400 * 300 },
    ...{ bytes: { sent: 1_048_575, received: 1e15 }, reason: "link_lost", initiator: "server" },
  },
  { type: "lost", time, count: 312 },
  { type: "lost", time, count: 2, worker: 3 },
  { type: "readiness", time, ready: false, notReady: "no connection to any proxy agent" },
  {
    ...{
      type: "agent-disconnected",
      time,
      agent: "agent-1",
      name: "node-7",
      address: "10.0.0.7:34920",
      seconds: 3.127,
    },
    ...{ bytes, tunnels: 2, reason: "failed", message: "read ECONNRESET" },
  },
  { type: "of-tomorrow", time, what: "\x1b[2J" },
];

Deno.test("events of a server are lines whose columns fit a terminal of 80, and why something failed stands below", () => {
  const lines = new EventLines("proxy-server");
  assert.deepEqual([lines.heading(terminal), ...ofServer.flatMap((event) => lines.of(event, terminal))], [
    "TIME UTC EVENT  WHO            ADDRESS              AGENT      RESULT",
    "18:29:47 hello  proxy-server s, version 0.37.0, ready",
    "18:29:47 linked node-7         10.0.0.7:34920       agent-1          direct",
    "18:29:47 dial   kube-apiserver 10.1.2.3:10250       agent-1    9.8ms ok",
    "18:29:47 dial   kube-apiserver 10.128.112.250:10250 agent-1    3.4ms failed",
    "                → error_response: dial tcp 10.128.112.250:10250: connect:",
    "                  connection refused",
    "18:29:47 dial   kube-apiserver 10.1.2.4:80                     0.1ms failed",
    "                → no_agent: no",
    "18:29:47 closed kube-apiserver 10.1.2.3:10250       agent-1     25ms  517B  4.0K",
    "18:29:47 closed kube-apiserver 10.1.2.3:10250       agent-1     300d  1.0M  909T",
    "                → link_lost by server",
    "18:29:47 lost   312 events are missing: they came faster than they were read",
    "18:29:47 lost   2 events: worker 3 could not hand them on in time",
    "18:29:47 unfit  the program is not ready: no connection to any proxy agent",
    "18:29:47 gone   node-7         10.0.0.7:34920       agent-1     3.1s  517B  4.0K",
    "                → failed: read ECONNRESET, 2 tunnels ended with it",
    "18:29:47 other",
    '                → of-tomorrow {"what":"\\u001b[2J"}',
  ]);
});

Deno.test("a wider terminal has room for names and milliseconds, and where there is none nothing is cut", () => {
  const lines = new EventLines("proxy-server");
  const [, , dial, failed] = ofServer.flatMap((event) => [event]);
  const wide = lines.of(dial ?? assert.fail(), { ...terminal, columns: 120 });
  assert.deepEqual(wide, [
    "18:29:47.509 dial   kube-apiserver            10.1.2.3:10250                       agent-1             9.8ms ok",
  ]);
  const named = { ...failed, type: "dial", agent: "a".repeat(60) };
  assert.deepEqual(lines.of(named, pipe), [
    `18:29:47.509 dial   kube-apiserver 10.128.112.250:10250 ${"a".repeat(60)} 3.4ms failed  ` +
    "error_response: dial tcp 10.128.112.250:10250: connect: connection refused",
  ]);
  for (const columns of [0, 1, 40, 80, 99, 100, 133, 400]) {
    for (const event of [...ofServer, named]) {
      const [row = ""] = lines.of(event, { ...terminal, columns });
      assert.ok([...row].length <= Math.max(80, columns), row);
    }
  }
});

Deno.test("events of an agent name its servers, and have no client", () => {
  const lines = new EventLines("proxy-agent");
  const ofAgent = [
    { type: "link-opened", time, server: "server-1", address: "10.0.0.2:8091", link: "grpc" },
    { type: "dial", time, server: "server-1", destination: "10.1.2.3:10250", outcome: "ok", ms: 1_250 },
    {
      type: "tunnel-closed",
      time,
      server: "server-1",
      destination: "10.1.2.3:10250",
      seconds: 61,
      bytes,
      reason: "closed",
    },
    { type: "link-failed", time, address: "10.0.0.3:8091", message: "connection refused" },
    { type: "link-closed", time, server: "server-1", address: "10.0.0.2:8091", seconds: 5, bytes, reason: "lost" },
  ];
  assert.deepEqual([lines.heading(terminal), ...ofAgent.flatMap((event) => lines.of(event, terminal))], [
    "TIME UTC EVENT  ADDRESS                  SERVER                RESULT",
    "18:29:47 linked 10.0.0.2:8091            server-1                    grpc",
    "18:29:47 dial   10.1.2.3:10250           server-1               1.3s ok",
    "18:29:47 closed 10.1.2.3:10250           server-1                 1m  517B  4.0K",
    "18:29:47 failed 10.0.0.3:8091                                        no link",
    "                → connection refused",
    "18:29:47 gone   10.0.0.2:8091            server-1                 5s  517B  4.0K",
    "                → lost",
  ]);
});

Deno.test("what peers choose does nothing to a terminal, and keeps its column", () => {
  const event = {
    type: "dial",
    time: "\x1b[2J",
    client,
    destination: "\x9b2J\u202e:1",
    outcome: "ok",
    ms: 1,
    agent: "a\nb",
  };
  const [line = ""] = new EventLines("proxy-server").of(event, terminal);
  assert.equal(line, "         dial   kube-apiserver \\x9b2J\\u{202e}:1     a\\x0ab       1ms ok");
  const [ascii = ""] = new EventLines("proxy-server").of(event, { ...terminal, unicode: false });
  assert.match(ascii, /^[\x20-\x7e]+$/);
  const [red = ""] = new EventLines("proxy-server").of({ ...event, outcome: "failed" }, { ...terminal, colour: true });
  assert.ok(red.startsWith("\x1b[31m") && red.endsWith("\x1b[0m"), red);
});

Deno.test("times have at most five signs, and sizes too", () => {
  const seconds = [
    0,
    0.0001,
    0.0099,
    0.00996,
    0.25,
    0.9994,
    0.9996,
    3.25,
    9.96,
    59.4,
    59.6,
    3_569,
    3_571,
    171_000,
    1e7,
  ];
  assert.deepEqual(seconds.map(shortSpan), [
    ...["0ms", "0.1ms", "9.9ms", "10ms", "250ms", "999ms", "1s", "3.3s", "10s", "59s", "1m", "59m", "1h", "2d", "116d"],
  ]);
  assert.deepEqual([0, 999, 1_000, 10_188, 10_189, 1_022_975, 1_048_576, 1e12].map(shortSize), [
    ...["0B", "999B", "1.0K", "9.9K", "10K", "999K", "1.0M", "931G"],
  ]);
});

Deno.test("server-sent events are taken apart wherever they are cut", () => {
  const text = ': comment\n\nid: 1\ndata: {"a":"ä"}\n\ndata:x\r\ndata: y\r\n\r\nevent: z\n\n';
  const bytesOf = new TextEncoder().encode(text);
  for (let at = 0; at <= bytesOf.length; at++) {
    const parser = new EventParser();
    const found = [...parser.push(bytesOf.subarray(0, at)), ...parser.push(bytesOf.subarray(at))];
    assert.deepEqual(found, ['{"a":"ä"}', "x\ny"], String(at));
  }
  const endless = new EventParser();
  assert.throws(() => endless.push(new Uint8Array(1_100_000).fill(0x61)), EventFormError);
});

Deno.test("an event stays the same JSON, on one line, without what a terminal acts on", () => {
  const { text } = readEvent('{"type":"x","a":"\u009b\u202e\x7f",\n"b":"\\u001b"}');
  assert.equal(text, '{"type":"x","a":"\\u009b\\u202e\\u007f", "b":"\\u001b"}');
  assert.deepEqual(JSON.parse(text), { type: "x", a: "\u009b\u202e\x7f", b: "\x1b" });
  for (const bad of ["", "[]", "1", "{}", '{"type":1}', "{"]) assert.throws(() => readEvent(bad), EventFormError);
});

Deno.test("a number that is none is shown as it came", () => {
  const count = { toString: 1, valueOf: 1 };
  const place = { colour: false, unicode: true, columns: undefined };
  const [line = ""] = new EventLines("proxy-server").of({ type: "lost", count }, place);
  assert.match(line, /\{"toString":1,"valueOf":1\} events are missing/);
});

Deno.test("nothing of an event acts on the terminal, in whatever member it stands", () => {
  const text = "a\u001b[2J\u009b\u202eb";
  const members = [
    "agent",
    "server",
    "name",
    "address",
    "destination",
    "outcome",
    "link",
    "reason",
    "message",
    "initiator",
  ];
  const hostile = { ...Object.fromEntries(members.map((name) => [name, text])), client: { name: text, address: text } };
  const types = [
    "dial",
    "tunnel-closed",
    "agent-connected",
    "link-opened",
    "agent-disconnected",
    "link-failed",
    "hello",
    text,
  ];
  for (const type of types) {
    for (const columns of [undefined, 80]) {
      for (const program of ["proxy-server", "proxy-agent"] as const) {
        const lines = new EventLines(program).of({ type, ...hostile }, { colour: false, unicode: true, columns });
        // deno-lint-ignore no-control-regex
        for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u202a-\u202e]/, `${type}: ${line}`);
      }
    }
  }
});
