import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { EventRelay, type RelayedEvents } from "./event_relay.ts";
import type { ProgramEvent } from "./program_event.ts";

const time = "2026-01-01T00:00:00.000Z";
const dial = (agent: string): ProgramEvent => ({ type: "dial", time, agent });

function relay(limitChars?: number) {
  const clock = new VirtualClock();
  const sent: RelayedEvents[] = [];
  return { clock, sent, relay: new EventRelay((events) => sent.push(events), clock, limitChars) };
}

/** What was sent, as the ids of agents, and the losses where they are. */
function ids(sent: readonly RelayedEvents[]): (string | number)[] {
  return sent.flatMap(({ text, lost }) => [
    ...(JSON.parse(text) as ProgramEvent[]).map(({ agent }) => agent ?? ""),
    ...(lost > 0 ? [lost] : []),
  ]);
}

Deno.test("a worker makes and sends events only while somebody watches them", () => {
  const { clock, sent, relay: events } = relay();
  events.publish(dial("a"));
  assert.deepEqual([clock.begun, events.wants("dial")], [0, false]);
  events.want(["dial"]);
  assert.deepEqual([events.wants("dial"), events.wants("tunnel-closed")], [true, false]);
  events.publish(dial("b"));
  events.publish(dial("c"));
  events.publish({ type: "tunnel-closed", time });
  assert.equal(sent.length, 0, "events of a moment go together");
  clock.advance(1_000);
  assert.equal(sent.length, 1);
  events.want([]);
  events.publish(dial("d"));
  clock.advance(1_000);
  assert.deepEqual([ids(sent), clock.pending], [["b", "c"], 0]);
});

Deno.test("what the command has not read is bounded, and what is lost is told where it is missing", () => {
  const one = JSON.stringify(dial("1")).length;
  const { clock, sent, relay: events } = relay(3 * one);
  events.want(["dial"]);
  for (const agent of ["1", "2", "3", "4", "5"]) events.publish(dial(agent));
  clock.advance(1_000);
  assert.deepEqual(ids(sent), ["1", "2", "3", 2]);
  assert.equal(sent[0]?.chars, 3 * one);
  events.publish(dial("6"));
  events.acknowledged(2 * one);
  events.publish(dial("7"));
  events.publish(dial("8"));
  events.publish(dial("9"));
  clock.advance(1_000);
  assert.deepEqual(ids(sent), ["1", "2", "3", 2, 1, "7", "8", 1]);
  assert.equal(clock.pending, 0);
});

Deno.test("a loss is told when the command reads again, though no event follows", () => {
  const one = JSON.stringify(dial("1")).length;
  const { clock, sent, relay: events } = relay(one);
  events.want(["dial"]);
  events.publish(dial("1"));
  clock.advance(1_000);
  events.publish(dial("2"));
  clock.advance(1_000);
  assert.deepEqual(ids(sent), ["1"]);
  events.acknowledged(one);
  clock.advance(1_000);
  assert.deepEqual(ids(sent), ["1", 1]);
});

Deno.test("a burst is sent in several messages, so that reading one holds nobody", () => {
  const { clock, sent, relay: events } = relay();
  events.want(["dial"]);
  for (let at = 0; at < 2_000; at++) events.publish(dial("x".repeat(200)));
  clock.advance(1_000);
  assert.ok(sent.length > 4);
  assert.ok(sent.every(({ text }) => text.length < 70_000));
  assert.equal(ids(sent).length, 2_000);
});
