import assert from "node:assert/strict";
import { nextState, type TunnelEvent, type TunnelState } from "./tunnel_state.ts";

const states: readonly TunnelState[] = ["dialing", "open", "closing", "closed"];
const events: readonly TunnelEvent[] = ["dialed", "dial-failed", "client-closed", "agent-closed", "link-lost"];

/** One row a state, one column an event, `-` where the event is ignored. */
const expected: Record<TunnelState, string> = {
  dialing: "open closed closed - closed",
  open: "- - closing closed closed",
  closing: "- - - closed closed",
  closed: "- - - - -",
};

Deno.test("every event in every state leads where the table says, the impossible ones nowhere", () => {
  for (const state of states) {
    const row = events.map((event) => nextState(state, event) ?? "-").join(" ");
    assert.equal(row, expected[state], state);
  }
});
