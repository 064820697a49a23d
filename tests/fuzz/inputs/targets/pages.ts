import { parseEventQuery } from "../../../../src/ops/events/event_query.ts";
import { isLoopbackHost, isToLoopback } from "../../../../src/ops/loopback_host.ts";
import { parseStatusQuery, StatusQueryError } from "../../../../src/ops/status/status_query.ts";
import { EventFormError, EventParser } from "../../../../src/programs/konnectivity/tap/event_parser.ts";
import { EventLines } from "../../../../src/programs/konnectivity/tap/event_lines.ts";
import { type ReadEvent, readEvent } from "../../../../src/programs/konnectivity/tap/read_events.ts";
import { agentLines } from "../../../../src/programs/konnectivity/status/agent_lines.ts";
import { serverLines } from "../../../../src/programs/konnectivity/status/server_lines.ts";
import { statusText } from "../../../../src/programs/konnectivity/status/status_text.ts";
import type { AgentStatus } from "../../../../src/ops/status/agent_status.ts";
import type { ServerStatus } from "../../../../src/ops/status/server_status.ts";
import { agentStatus, empty, pageOf, server } from "../../../support/memory/status_samples.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf } from "./chunks.ts";
import { attempt, holds, prototypeNames, textOf } from "./texts.ts";

const vocabulary = {
  types: ["dial", "tunnel-closed"],
  filters: ["agent", "client", "destination", "outcome"],
} as const;

/** Queries of `/status` and `/events`, and hosts that they are sent to. */
export const pageQueries: FuzzTarget = {
  name: "page-queries",
  modules: ["src/ops/status/status_query.ts", "src/ops/events/event_query.ts", "src/ops/loopback_host.ts"],
  seeds: [
    "agents=10&agents_from=5&client=a",
    "type=dial,tunnel-closed&outcome=failed&agent=x",
    "127.0.0.1",
    "[::1]:80",
  ],
  dictionary: [...prototypeNames, "9007199254740993", "&type=dial", "%00"],
  maxBytes: 200,
  run(input) {
    const text = textOf(input);
    const query = attempt(() => parseStatusQuery(new URLSearchParams(text)), StatusQueryError);
    if (!(query instanceof Error)) {
      for (const { from, size } of [query.agents, query.links, query.tunnels, query.dials]) {
        holds(Number.isSafeInteger(from) && from >= 0 && size >= 0 && size <= 1000, () => `from ${from}, size ${size}`);
      }
    }
    const events = attempt(() => parseEventQuery(new URLSearchParams(text), vocabulary), StatusQueryError);
    if (!(events instanceof Error)) { for (const type of events.types) holds(type !== "", () => "a type has a name"); }
    isLoopbackHost(text);
    // A header that the runtime takes.
    if (/^[!-~]{1,60}$/.test(text)) isToLoopback(new Request("http://127.0.0.1/", { headers: { host: text } }));
  },
};

function eventsIn(chunks: readonly Uint8Array[]): string[] {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

const events = [
  { type: "hello", version: 1, id: "one", program: { name: "proxy-server", version: "1" }, ready: true },
  { type: "dial", time: "2026-01-01T00:00:00.000Z", client: { name: "c", address: "a" }, ms: 3, outcome: "failed" },
  { type: "tunnel-closed", seconds: 3.5, bytes: { sent: 1e9, received: 12 }, reason: "error", message: "m" },
  { type: "lost", count: 3, worker: 1 },
  { type: "agent-disconnected", agent: "x", reason: "closed", tunnels: 3 },
  { type: "of-a-newer-program", of: [1] },
];

const places = [
  { unicode: true, colour: true, columns: 80 },
  { unicode: false, colour: false, columns: undefined },
];

/** Events as `konnectivity tap` reads and shows them, of whatever it was pointed at. */
export const eventStreams: FuzzTarget = {
  name: "event-streams",
  modules: ["src/programs/konnectivity/tap/"],
  seeds: events.map((event) => `id: 1\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
  dictionary: [...prototypeNames, "data: ", "\n\n", "\r\n", ":\n", "\u202e", "\u001b[2J", "1e999", "\\u001b"],
  maxBytes: 600,
  run(input) {
    const whole = eventsIn([input]);
    const cut = eventsIn(chunksOf(input));
    holds(JSON.stringify(whole) === JSON.stringify(cut), () => "events do not depend on how they are cut");
    for (const data of whole) {
      const read = attempt(() => readEvent(data), EventFormError);
      if (!(read instanceof Error)) show(read as ReadEvent);
    }
  },
};

/** A line acts on no terminal, but by its own colours. */
function assertPlain(line: string): void {
  // deno-lint-ignore no-control-regex
  const plain = line.replace(/\x1b\[\d+m/g, "");
  // deno-lint-ignore no-control-regex
  holds(!/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/.test(plain), () => `a line acts on no terminal\n${JSON.stringify(plain)}`);
}

function show({ text, event }: ReadEvent): void {
  holds(!/[\n\r\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(text), () => "a line stays one, and acts on no terminal");
  for (const program of ["proxy-server", "proxy-agent"] as const) {
    for (const place of places) {
      for (const line of new EventLines(program).of(event, place)) assertPlain(line);
    }
  }
}

/** A value whose texts are others, one after the other, as a program could have them that nobody has checked. */
function withTexts(value: unknown, next: () => string): unknown {
  if (typeof value === "string") return next();
  if (Array.isArray(value)) return value.map((each) => withTexts(each, next));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withTexts(each, next)]));
}

const dial = {
  id: "d",
  client: { frontend: "grpc", name: "c", address: "a" },
  destination: "web:80",
  agent: "a1",
  seconds: 100,
} as const;
const tunnel = { ...dial, state: "open", bytes: { sent: 1, received: 2 }, queuedBytes: 3, waitsFor: "client" } as const;
const failure = { time: "2026-01-01T00:00:00.000Z", reason: "no_agent", message: "m", destination: "d" };
const busyServer = server({
  tunnels: pageOf(tunnel),
  dials: pageOf(dial),
  failures: [failure],
  notReady: "why",
  ready: false,
});
const busyAgent = agentStatus({ tunnels: empty, failures: [failure], notReady: "why", ready: false });

/** What `konnectivity status` shows of texts that a program has, a line for each. */
export const statusTexts: FuzzTarget = {
  name: "status-texts",
  modules: ["src/programs/konnectivity/status/", "src/programs/konnectivity/text_style.ts"],
  seeds: ["a\nb\nc\nd", "open\nclosing\ndirect\nlinked\nup\ngrpc\nproxy-server", "\u001b[2J"],
  dictionary: [...prototypeNames, "\u202e", "\u001b[2J", "no_agent", "linked", "2026-01-01T00:00:00.000Z"],
  maxBytes: 200,
  run(input) {
    const texts = textOf(input).split("\n");
    let at = 0;
    const next = () => texts[at++ % texts.length] ?? "";
    const lines = [
      serverLines(withTexts(busyServer, next) as ServerStatus, 3),
      agentLines(withTexts(busyAgent, next) as AgentStatus, 3),
    ];
    for (const line of lines) {
      for (const style of places) for (const row of statusText(line, style)) assertPlain(row);
    }
  },
};
