import assert from "node:assert/strict";
import { data, frame, H2Peer, headers, type SentFrame } from "../../tests/support/memory/h2_peer.ts";
import { GrowthBudget } from "../streams/growth_budget.ts";
import { frameFlag, frameType, h2Code } from "./frames/frame.ts";

const isPing = ({ type, flags }: SentFrame) => type === frameType.ping && flags === 0;

Deno.test("a stream on which nothing was sent ends with its trailers, or with an empty frame", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), headers(3));
  peer.sent();
  peer.request(0).stream.end([["grpc-status", "13"]]);
  peer.request(1).stream.end();
  peer.settle();
  const [trailers, end] = peer.sent();
  assert.deepEqual([trailers?.type, trailers?.flags], [frameType.headers, frameFlag.endHeaders | frameFlag.endStream]);
  assert.deepEqual(peer.decode(trailers?.payload ?? new Uint8Array()), { "grpc-status": "13" });
  assert.deepEqual([end?.type, end?.flags, end?.payload.length], [frameType.data, frameFlag.endStream, 0]);
});

Deno.test("a connection that has ended sends no ping", () => {
  const peer = H2Peer.begun();
  peer.connection.close(h2Code.noError, "over");
  peer.settle();
  peer.sent();
  peer.connection.ping(() => assert.fail("it was answered"));
  peer.settle();
  assert.deepEqual(peer.sent(), []);
});

Deno.test("the round trip is measured with the first DATA and behind each 16 portions of credit, by one ping at a time", () => {
  const peer = H2Peer.begun(undefined, { streamWindowBytes: 1000, growth: new GrowthBudget(0) });
  peer.push(headers(1));
  peer.sent();
  const pings: number[] = [];
  const portions = (count: number) => {
    for (let at = 1; at <= count; at++) {
      peer.push(data(1, new Uint8Array(500)));
      if (peer.sent().some(isPing)) pings.push(at);
    }
    return pings.splice(0);
  };
  const answer = () => {
    peer.now += 5;
    peer.push(frame(frameType.ping, frameFlag.ack, 0, "7000000000000000"));
  };
  assert.deepEqual(portions(40), [1], "unanswered");
  answer();
  assert.equal(peer.connection.pace.roundTripMs(), 5);
  assert.deepEqual(portions(1), [1], "it was due");
  answer();
  assert.deepEqual(portions(15), []);
  assert.deepEqual(portions(1), [1]);
});

Deno.test("where no window can grow nothing is measured", () => {
  const peer = H2Peer.begun(undefined, { streamWindowBytes: 1000 });
  peer.push(headers(1));
  for (let at = 0; at < 40; at++) peer.push(data(1, new Uint8Array(500)));
  assert.deepEqual(peer.sent().filter(isPing), []);
});
