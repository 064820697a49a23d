import assert from "node:assert/strict";
import { isRunning, nextState, type TunnelEvent, type TunnelState } from "./channel_state.ts";

const events: readonly TunnelEvent[] = [
  "dialed",
  "dial-failed",
  "client-ended",
  "client-closed",
  "destination-ended",
  "destination-closed",
  "broken",
  "refused",
  "link-lost",
  "agent-closed",
];

/** One row a state, one column an event in the order above, `-` where the event is ignored. */
const expected: Record<TunnelState, string> = {
  dialing: "open closed - closed - - - - closed -",
  open: "- - client-done closing destination-done closing closed closed closed closed",
  "client-done": "- - - closing closing closing closed closed closed closed",
  "destination-done": "- - closing closing - - closed closed closed closed",
  closing: "- - - - - - closed - closed closed",
  closed: "- - - - - - - - - -",
};

Deno.test("every event in every state of a tunnel leads where the table says, the impossible ones nowhere", () => {
  for (const state of Object.keys(expected) as TunnelState[]) {
    const row = events.map((event) => nextState(state, event) ?? "-").join(" ");
    assert.equal(row, expected[state], state);
  }
});

Deno.test("bytes may flow in a tunnel that is open, or of which one side is done", () => {
  const states = ["dialing", "open", "client-done", "destination-done", "closing", "closed"] as const;
  assert.deepEqual(states.filter(isRunning), ["open", "client-done", "destination-done"]);
});
