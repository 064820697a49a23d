import assert from "node:assert/strict";
import { packetPair } from "../../tests/support/packet_pair.ts";
import { FairWriter, Lane } from "./fair_writer.ts";
import { flowLimits } from "./flow_limits.ts";
import { SendWindow } from "./send_window.ts";

/**
 * A lane of a link; payloads come 3 ms after each other. What `send` returns is how often the link was told so far that
 * somebody talks.
 */
function talkingLane() {
  let now = 0;
  const link = packetPair().near;
  const lane = new Lane(new FairWriter(link, () => now), 1, new SendWindow(Infinity), { laneWritable: () => {} });
  const send = (...sizes: readonly number[]) => {
    for (const size of sizes) {
      lane.send(new Uint8Array(size));
      now += 3;
    }
    return link.talks.length;
  };
  const pass = (ms: number) => void (now += ms);
  const heard = (bytes: number) => lane.heard(bytes);
  return { send, pass, heard, talks: link.talks };
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

Deno.test("a small answer to something small may begin a conversation: it is talk for a moment, what follows for longer", () => {
  const { send, pass, heard, talks } = talkingLane();
  heard(100);
  send(100);
  assert.deepEqual(talks, [50]);
  send(100);
  assert.deepEqual(talks, [50], "nobody waited for it");
  pass(3);
  heard(100);
  send(100);
  assert.deepEqual(talks, [50, 250]);
});

Deno.test("what answers bulk, what is answered by bulk, and an answer of bulk are no talk", () => {
  const upload = talkingLane();
  upload.heard(bulk);
  assert.equal(upload.send(1), 0);
  const download = talkingLane();
  download.heard(16);
  assert.equal(download.send(bulk), 0);
  download.heard(16);
  assert.equal(download.send(100), 0, "it has carried bulk");
});

Deno.test("a tunnel that has carried bulk talks when only small payloads have passed for a while", () => {
  const { send } = talkingLane();
  send(bulk);
  assert.equal(send(...Array(15).fill(100)), 0);
  assert.equal(send(100), 1);
});
