import assert from "node:assert/strict";
import {
  nextReceivingState,
  nextSendingState,
  type ReceivingEvent,
  type ReceivingState,
  type SendingEvent,
  type SendingState,
} from "./stream_state.ts";

const receivingEvents: readonly ReceivingEvent[] = ["paused", "resumed", "peer-ended", "end-delivered"];
const sendingEvents: readonly SendingEvent[] = ["filled", "drained", "owner-ended", "end-sent"];

/** One row a state, one column an event in the order above, `-` where the event is ignored. */
const receiving: Record<ReceivingState, string> = {
  paused: "- flowing ended-paused -",
  flowing: "paused - ended-flowing -",
  "ended-paused": "- ended-flowing - delivered",
  "ended-flowing": "ended-paused - - delivered",
  delivered: "- - - -",
};

const sending: Record<SendingState, string> = {
  open: "full - ending -",
  full: "- open ending-full -",
  ending: "- - - ended",
  "ending-full": "- ending - ended",
  ended: "- - - -",
};

Deno.test("every event in every state of a stream's receiving half leads where the table says, the impossible ones nowhere", () => {
  for (const state of Object.keys(receiving) as ReceivingState[]) {
    const row = receivingEvents.map((event) => nextReceivingState(state, event) ?? "-").join(" ");
    assert.equal(row, receiving[state], state);
  }
});

Deno.test("every event in every state of a stream's sending half leads where the table says, the impossible ones nowhere", () => {
  for (const state of Object.keys(sending) as SendingState[]) {
    const row = sendingEvents.map((event) => nextSendingState(state, event) ?? "-").join(" ");
    assert.equal(row, sending[state], state);
  }
});
