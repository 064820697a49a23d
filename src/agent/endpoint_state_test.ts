import assert from "node:assert/strict";
import { type EndpointEvent, type EndpointState, nextEndpointState } from "./endpoint_state.ts";

const events: readonly EndpointEvent[] = [
  "dialed",
  "dial-failed",
  "client-ended",
  "client-closed",
  "destination-ended",
  "destination-closed",
  "broken",
  "refused",
  "link-lost",
];

/** One row a state, one column an event in the order above, `-` where the event is ignored. */
const expected: Record<EndpointState, string> = {
  dialing: "open closed - closed - - - - closed",
  open: "- - client-done closing destination-done closing closed closed closed",
  "client-done": "- - - closing closing closing closed closed closed",
  "destination-done": "- - closing closing - - closed closed closed",
  closing: "- - - - - - closed - -",
  closed: "- - - - - - - - -",
};

Deno.test("every event in every state of an endpoint leads where the table says, the impossible ones nowhere", () => {
  for (const state of Object.keys(expected) as EndpointState[]) {
    const row = events.map((event) => nextEndpointState(state, event) ?? "-").join(" ");
    assert.equal(row, expected[state], state);
  }
});
