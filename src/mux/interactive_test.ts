import assert from "node:assert/strict";
import { packetPair } from "../../tests/support/memory/packet_pair.ts";
import { openChannel, sessionOn } from "../../tests/support/memory/channel_owner.ts";
import { flowLimits } from "./flow_limits.ts";
import { InteractiveDetector } from "./interactive.ts";

/**
 * A channel of a link; payloads come 3 ms after each other. What `send` returns is how often the link has heard so far that
 * the tunnel is interactive.
 */
function interactiveChannel() {
  let now = 1000;
  const link = packetPair().near;
  const channel = openChannel(sessionOn(link, { now: () => now }), 1);
  const send = (...sizes: readonly number[]) => {
    for (const size of sizes) {
      channel.write(new Uint8Array(size));
      now += 3;
    }
    return link.interactiveMs.length;
  };
  const pass = (ms: number) => void (now += ms);
  const received = (bytes: number) => channel.deliver(new Uint8Array(bytes));
  return { send, pass, received, told: link.interactiveMs };
}

const bulk = flowLimits.smallPayloadBytes + 1;

Deno.test("small payloads that follow each other on a new tunnel make it interactive, from the second on", () => {
  const { send, pass } = interactiveChannel();
  assert.equal(send(100), 0);
  pass(3);
  assert.equal(send(100), 1);
  pass(60_000);
  assert.equal(send(1, flowLimits.smallPayloadBytes), 3);
});

Deno.test("small payloads that come at once, as before some transfers, do not", () => {
  const { send } = interactiveChannel();
  assert.equal(send(100, 100), 0);
  assert.equal(send(bulk), 0);
});

Deno.test("the request before a transfer, and small pieces of the transfer, do not make it interactive", () => {
  const { send } = interactiveChannel();
  send(17);
  for (let i = 0; i < 100; i++) send(bulk, 2000, 3000, 4000, bulk, 10);
  assert.equal(send(), 0);
});

Deno.test("a small answer to something small may begin a conversation: the tunnel is interactive for a moment, behind what follows for longer", () => {
  const { send, pass, received, told } = interactiveChannel();
  received(100);
  send(100);
  assert.deepEqual(told, [50]);
  send(100);
  assert.deepEqual(told, [50], "nobody waited for it");
  pass(3);
  received(100);
  send(100);
  assert.deepEqual(told, [50, 250]);
});

Deno.test("what answers bulk, what is answered by bulk, and an answer of bulk are not interactive", () => {
  const upload = interactiveChannel();
  upload.received(bulk);
  assert.equal(upload.send(1), 0);
  const download = interactiveChannel();
  download.received(16);
  assert.equal(download.send(bulk), 0);
  download.received(16);
  assert.equal(download.send(100), 0, "it has carried bulk");
});

Deno.test("a tunnel that has carried bulk is interactive when only small payloads have passed for a while", () => {
  const { send } = interactiveChannel();
  send(bulk);
  assert.equal(send(...Array(15).fill(100)), 0);
  assert.equal(send(100), 1);
});

Deno.test("a row has lasted for more than five milliseconds, and the largest small payload is small", () => {
  const largest = flowLimits.smallPayloadBytes;
  const sent = (afterMs: number) => {
    const detector = new InteractiveDetector();
    assert.equal(detector.sent(largest, () => 1000), 0);
    return detector.sent(largest, () => 1000 + afterMs);
  };
  assert.deepEqual([sent(5), sent(6)], [0, 250]);
  const answered = (bytes: number) => {
    const detector = new InteractiveDetector();
    detector.received(bytes);
    return detector.sent(1, () => 1000);
  };
  assert.deepEqual([answered(largest), answered(largest + 1)], [50, 0]);
});
