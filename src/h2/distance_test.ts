import assert from "node:assert/strict";
import { concat, data, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { GrowthBudget } from "../streams/growth_budget.ts";
import { readUint32 } from "../wire/bytes.ts";
import { pingFrame } from "./frames/control_frames.ts";
import { frameFlag, frameType } from "./frames/frame.ts";

const mib = 1024 * 1024;
const frameBytes = 16_384;
const roundTripMs = 50;
const windows = { streamWindowBytes: mib, connectionWindowBytes: 4 * mib };

/** A client at a distance, which sends as much as its windows allow and sees what was sent back a round trip later. */
class DistantClient {
  readonly peer: H2Peer;
  /** What it may send: on the connection, and on each stream. */
  connection = 65_535;
  readonly streams = new Map<number, number>();
  #pings: Uint8Array[] = [];

  constructor(growth: GrowthBudget | undefined) {
    this.peer = H2Peer.begun(undefined, { ...windows, ...(growth === undefined ? {} : { growth }) });
    this.connection = windows.connectionWindowBytes;
  }

  open(id: number): void {
    this.peer.push(headers(id));
    this.streams.set(id, mib);
  }

  /** A round trip, in which it sends what it may. @returns the bytes that each stream sent */
  round(): number[] {
    const { peer } = this;
    peer.now += roundTripMs;
    for (const payload of this.#pings.splice(0)) peer.push(pingFrame(true, payload));
    const sent = [...this.streams].map(([id, window]) => {
      let bytes = 0;
      for (let frame = frameBytes; frame === frameBytes;) {
        frame = Math.min(frameBytes, window - bytes, this.connection);
        if (frame <= 0) break;
        peer.push(data(id, new Uint8Array(frame)));
        bytes += frame;
        this.connection -= frame;
      }
      this.streams.set(id, window - bytes);
      return bytes;
    });
    for (const { type, flags, streamId, payload } of peer.sent()) {
      if (type === frameType.ping && (flags & frameFlag.ack) === 0) this.#pings.push(payload);
      if (type !== frameType.windowUpdate) continue;
      const bytes = readUint32(payload, 0);
      if (streamId === 0) this.connection += bytes;
      else this.streams.set(streamId, (this.streams.get(streamId) ?? 0) + bytes);
    }
    return sent;
  }
}

Deno.test("the window of a distant client's stream grows with each round trip, and the connection's with it", () => {
  const growth = new GrowthBudget(64 * mib);
  const client = new DistantClient(growth);
  client.open(1);
  let largest = 0;
  for (let round = 0; round < 8; round++) largest = Math.max(largest, ...client.round());
  assert.ok(largest >= 16 * mib, `${largest} bytes were sent in a round trip at most`);
  assert.ok(client.peer.lives);
  assert.ok(growth.remaining < 50 * mib);
  client.peer.request().stream.reset(0);
  assert.equal(growth.remaining, 64 * mib);
});

Deno.test("without a budget the window stays as it was announced", () => {
  const client = new DistantClient(undefined);
  client.open(1);
  for (let round = 0; round < 8; round++) assert.deepEqual(client.round(), [mib]);
});

Deno.test("a stream that is not read holds what its window allows, and its neighbour's goes on to grow", () => {
  const growth = new GrowthBudget(64 * mib);
  const client = new DistantClient(growth);
  client.open(1);
  client.open(3);
  client.peer.request(0).stream.pause();
  let largest = 0;
  for (let round = 0; round < 12; round++) largest = Math.max(largest, client.round()[1] ?? 0);
  assert.equal(client.peer.request(0).body.length, 0);
  assert.equal(client.streams.get(1), 0);
  assert.ok(largest >= 8 * mib, `${largest} bytes were sent in a round trip at most`);
});

Deno.test("streams of a budget that is short have equal windows, and give them back when they end", () => {
  const growth = new GrowthBudget(8 * mib);
  const client = new DistantClient(growth);
  for (const id of [1, 3, 5, 7]) client.open(id);
  let last: number[] = [];
  for (let round = 0; round < 40; round++) last = client.round();
  const [least = 0, most = 0] = [Math.min(...last), Math.max(...last)];
  assert.ok(least > mib, `a stream had ${least} bytes in a round trip`);
  assert.ok(most <= 3.2 * mib, `a stream had ${most} bytes in a round trip`);
  client.peer.connection.lost("gone");
  assert.equal(growth.remaining, 8 * mib);
});

Deno.test("a client that answers no PING has windows as if it were near", () => {
  const growth = new GrowthBudget(64 * mib);
  const peer = H2Peer.begun(undefined, { ...windows, growth });
  peer.push(headers(1));
  peer.push(concat(...Array.from({ length: 64 }, () => data(1, new Uint8Array(frameBytes)))));
  const sent = peer.sent();
  assert.equal(sent.filter(({ type }) => type === frameType.ping).length, 1);
  assert.ok(sent.some(({ type, streamId }) => type === frameType.windowUpdate && streamId === 1));
  assert.ok(growth.remaining >= 63 * mib);
});
