import assert from "node:assert/strict";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { eventHub, eventsIn, WatchReader } from "../../../tests/support/memory/watched_hub.ts";
import { eventLimits } from "./event_hub.ts";
import { parseEventQuery } from "./event_query.ts";
import type { ProgramEvent } from "./program_event.ts";
import { serverEvents } from "./server_event.ts";

const time = "2026-01-01T00:00:00.000Z";

/** A dial that is told from others by its number. */
function dial(number: number, agent = "a"): ProgramEvent {
  return { type: "dial", time, agent, id: String(number) } as ProgramEvent;
}

const anything = parseEventQuery(new URLSearchParams(), serverEvents);

Deno.test("a watch begins with a hello, and gets each event once, numbered, in portions of a moment", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const reader = WatchReader.of(hub);
  const [hello] = eventsIn(await reader.piece() ?? "");
  assert.equal(hello?.id, undefined);
  assert.deepEqual(hello?.event, {
    type: "hello",
    time: "1970-01-01T00:00:00.000Z",
    version: 1,
    program: {
      name: "proxy-server",
      version: "v0",
      startedAt: (hello?.event["program"] as { startedAt: string }).startedAt,
    },
    id: "s",
    ready: true,
  });
  const piece = reader.piece();
  hub.publish(dial(1));
  hub.publish(dial(2));
  clock.advance(eventLimits.batchMs);
  assert.deepEqual(eventsIn(await piece ?? "").map(({ id, event }) => [id, event["id"]]), [["1", "1"], ["2", "2"]]);
  await reader.leave();
});

Deno.test("while nobody watches there is no timer, nothing is wanted and nothing is numbered", async () => {
  const clock = new VirtualClock();
  const wanted: string[] = [];
  const hub = eventHub({ clock, onWanted: (types) => void wanted.push(types.join()) });
  hub.publish(dial(1));
  hub.readinessChanged();
  assert.deepEqual([clock.begun, hub.wants("dial"), wanted], [0, false, []]);
  const one = WatchReader.of(hub, "type=dial");
  const other = WatchReader.of(hub, "type=dial,readiness");
  assert.deepEqual([hub.wants("dial"), hub.wants("readiness"), hub.wants("tunnel-closed")], [true, true, false]);
  hub.publish(dial(2));
  await other.leave();
  await one.leave();
  assert.deepEqual(wanted, ["dial", "dial,readiness", "dial", ""]);
  assert.deepEqual([clock.pending, hub.wants("dial"), hub.size], [0, false, 0]);
  const later = WatchReader.of(hub);
  hub.publish(dial(3));
  await later.piece();
  assert.deepEqual(eventsIn(later.text).map(({ id }) => id), [undefined, "2"], "the first and only one before had 1");
  await later.leave();
});

Deno.test("each watch gets what its own query asks for, under the numbers that all share", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const [a, b] = [WatchReader.of(hub, "agent=a"), WatchReader.of(hub, "agent=b")];
  for (const reader of [a, b]) await reader.piece();
  const pieces = [a.piece(), b.piece()];
  for (let at = 1; at <= 4; at++) hub.publish(dial(at, at % 2 === 0 ? "b" : "a"));
  clock.advance(eventLimits.batchMs);
  await Promise.all(pieces);
  assert.deepEqual([a, b].map(({ text }) => eventsIn(text).map(({ id }) => id)), [[undefined, "1", "3"], [
    undefined,
    "2",
    "4",
  ]]);
  for (const reader of [a, b]) await reader.leave();
});

Deno.test("a reader that stays behind holds a bounded queue, is told how many events it lost, and its neighbour loses none", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const [slow, fast] = [WatchReader.of(hub), WatchReader.of(hub)];
  const total = 3 * eventLimits.queue.events;
  await fast.piece();
  for (let at = 1; at <= total; at++) {
    const piece = at % 100 === 0 ? fast.piece() : undefined;
    hub.publish(dial(at));
    if (piece === undefined) continue;
    clock.advance(eventLimits.batchMs);
    await piece;
  }
  assert.ok(slow.watch.queue.size <= eventLimits.queue.events && slow.watch.queue.full);
  assert.ok(slow.watch.queue.chars <= eventLimits.queue.chars);
  while (slow.watch.queue.size > 0) await slow.piece();
  const lost = slow.events.filter(({ type }) => type === "lost").map(({ count }) => Number(count));
  assert.equal(lost.length, 1);
  assert.equal(slow.types.filter((type) => type === "dial").length + (lost[0] ?? 0), total);
  assert.ok(!fast.types.includes("lost"));
  // The longest piece is what is with the socket at once.
  assert.ok(eventLimits.pieceChars < eventLimits.queue.chars);
  for (const reader of [slow, fast]) await reader.leave();
});

Deno.test("silence is broken by comments often enough, and events are not", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const reader = WatchReader.of(hub);
  await reader.piece();
  for (let beats = 0; beats < 5; beats++) {
    const since = clock.now();
    const piece = reader.piece();
    let came: string | undefined;
    void piece.then((text) => came = text);
    while (came === undefined) await clock.run(1_000);
    assert.equal(came, ":\n\n");
    const silence = clock.now() - since;
    assert.ok(silence >= 5_000 && silence <= eventLimits.heartbeatMs, `${silence} ms`);
  }
  await reader.leave();
});

Deno.test("a watch whose reader takes nothing for long is ended, and one that has nothing to read is not", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const [stalled, idle] = [WatchReader.of(hub), WatchReader.of(hub, "type=readiness")];
  for (const reader of [stalled, idle]) await reader.piece();
  let open = true;
  void (async () => {
    while (open) await idle.piece();
  })();
  hub.publish(dial(1));
  await clock.run(eventLimits.stalledMs - 1);
  assert.equal(hub.size, 2);
  await clock.run(eventLimits.tickMs + 1);
  assert.equal(hub.size, 1);
  await assert.rejects(stalled.piece(), { code: "stalled" });
  await clock.run(10 * eventLimits.stalledMs);
  assert.equal(hub.size, 1);
  open = false;
  await idle.leave();
  assert.equal(clock.pending, 0);
});

Deno.test("the end of a hub ends its watches: behind what waits where it is read, at once where it is not", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const [read, unread] = [WatchReader.of(hub), WatchReader.of(hub)];
  await read.piece();
  await unread.piece();
  const last = read.piece();
  hub.publish(dial(1));
  hub.close();
  assert.match(await last ?? "", /"type":"dial"/);
  assert.equal(await read.piece(), undefined);
  await assert.rejects(unread.piece(), { code: "closed" });
  assert.deepEqual([hub.size, hub.wants("dial"), clock.pending], [0, false, 0]);
  assert.equal(hub.watch(anything), "closed");
});

Deno.test("there are so many watches and no more, until one of them leaves", async () => {
  const hub = eventHub();
  const readers = Array.from({ length: eventLimits.watches }, () => WatchReader.of(hub));
  assert.equal(hub.watch(anything), "full");
  await readers[3]?.leave();
  readers.push(WatchReader.of(hub));
  assert.equal(hub.watch(anything), "full");
  for (const reader of readers) await reader.leave();
  assert.equal(hub.size, 0);
});

Deno.test("a change of readiness is an event, whoever reports it, and no change is none", async () => {
  const clock = new VirtualClock();
  let notReady: string | undefined = "no agents";
  const hub = eventHub({ clock, facts: { name: "proxy-server", version: "v0", notReady: () => notReady } });
  const reader = WatchReader.of(hub);
  await reader.piece();
  assert.equal(reader.events[0]?.["notReady"], "no agents");
  hub.readinessChanged();
  const reported = reader.piece();
  notReady = undefined;
  hub.readinessChanged();
  clock.advance(eventLimits.batchMs);
  assert.match(await reported ?? "", /"type":"readiness","time":"[^"]*","ready":true\}/);
  const found = reader.piece();
  notReady = "no descriptors";
  // Nobody reports it.
  clock.advance(eventLimits.tickMs + eventLimits.batchMs);
  assert.match(await found ?? "", /"ready":false,"notReady":"no descriptors"\}/);
  await reader.leave();
});

Deno.test("events that were lost before they came here are told to each watch, with whose they were", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const reader = WatchReader.of(hub, "type=readiness");
  await reader.piece();
  const piece = reader.piece();
  hub.lost(7, 1);
  clock.advance(eventLimits.batchMs);
  await piece;
  assert.deepEqual([reader.events[1]?.type, reader.events[1]?.["count"], reader.events[1]?.["worker"]], ["lost", 7, 1]);
  await reader.leave();
});

Deno.test("texts of peers end neither an event nor its line", async () => {
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const reader = WatchReader.of(hub);
  await reader.piece();
  const piece = reader.piece();
  const evil = 'x\n\nid: 9\ndata: {"type":"hello"}\r\n\r\ndata: \u2028\u0000\u001b[2J\ud800"';
  hub.publish(dial(1, evil));
  clock.advance(eventLimits.batchMs);
  const lines = (await piece ?? "").split(/\r\n|\n|\r/);
  assert.deepEqual(lines.map((line) => line.slice(0, 5)), ["id: 1", "data:", "", ""]);
  assert.equal(reader.events[1]?.["agent"], evil);
  await reader.leave();
});

Deno.test("a flush that fails ends the watches and nobody else, and the next one is served", async () => {
  using faults = expectFaults();
  const clock = new VirtualClock();
  const hub = eventHub({ clock });
  const reader = WatchReader.of(hub);
  await reader.piece();
  const piece = reader.piece();
  reader.watch.queue.take = () => {
    throw new Error("broken queue");
  };
  hub.publish(dial(1));
  clock.advance(eventLimits.batchMs);
  await assert.rejects(piece, { code: "closed" });
  assert.deepEqual(faults.seen.map(({ place, error }) => [place, error.message]), [["request", "broken queue"]]);
  assert.deepEqual([hub.size, clock.pending], [0, 0]);
  const next = WatchReader.of(hub);
  assert.match(await next.piece() ?? "", /hello/);
  await next.leave();
});
