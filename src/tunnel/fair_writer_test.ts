import assert from "node:assert/strict";
import { packetPair } from "../../tests/support/packet_pair.ts";
import { FairWriter, Lane } from "./fair_writer.ts";
import { flowLimits } from "./flow_limits.ts";
import { SendWindow } from "./send_window.ts";

/** A lane of a link that counts how often it was told that somebody talks; payloads come 3 ms after each other. */
function talkingLane() {
  let talks = 0;
  let now = 0;
  const link = Object.assign(packetPair().near, { talk: () => void talks++ });
  const lane = new Lane(new FairWriter(link, () => now), 1, new SendWindow(Infinity), { laneWritable: () => {} });
  const send = (...sizes: readonly number[]) => {
    for (const size of sizes) {
      lane.send(new Uint8Array(size));
      now += 3;
    }
    return talks;
  };
  const pass = (ms: number) => void (now += ms);
  return { send, pass };
}

const bulk = flowLimits.smallPayloadBytes + 1;

Deno.test("small payloads that follow each other on a new tunnel are talk, from the second on", () => {
  const { send, pass } = talkingLane();
  assert.equal(send(100), 0);
  pass(3);
  assert.equal(send(100), 1);
  pass(60_000);
  assert.equal(send(1, flowLimits.smallPayloadBytes), 3);
});

Deno.test("small payloads that come at once, as before some transfers, are no talk", () => {
  const { send } = talkingLane();
  assert.equal(send(100, 100), 0);
  assert.equal(send(bulk), 0);
});

Deno.test("the request before a transfer, and small pieces of the transfer, are no talk", () => {
  const { send } = talkingLane();
  send(17);
  for (let i = 0; i < 100; i++) send(bulk, 2000, 3000, 4000, bulk, 10);
  assert.equal(send(), 0);
});

Deno.test("a tunnel that has carried bulk talks when only small payloads have passed for a while", () => {
  const { send } = talkingLane();
  send(bulk);
  assert.equal(send(...Array(15).fill(100)), 0);
  assert.equal(send(100), 1);
});
