import assert from "node:assert/strict";
import { concat } from "../../tests/support/memory/h2_peer.ts";
import { PacketRecorder } from "../../tests/support/memory/packet_recorder.ts";
import { linkFrame, maxLinkFrameBytes } from "./link_frame.ts";
import { dataPacket, drain, framePacket } from "./packet.ts";
import { PacketError } from "./packet_error.ts";
import { PacketReader } from "./packet_reader.ts";

Deno.test("frames that are no packets come between them, wherever the stream is cut", () => {
  const pieces = [framePacket(drain()), linkFrame(3, Uint8Array.of(1, 2)), linkFrame(4, new Uint8Array(0))];
  const bytes = concat(...pieces, framePacket(drain()));
  for (let cut = 0; cut <= bytes.length; cut++) {
    const seen: string[] = [];
    const recorder = new PacketRecorder();
    const reader = new PacketReader(recorder, undefined, (kind, body) => seen.push(`${kind}:${body.toHex()}`));
    reader.push(bytes.subarray(0, cut));
    reader.push(bytes.subarray(cut));
    reader.end();
    assert.deepEqual(seen, ["3:0102", "4:"], `cut at ${cut}`);
    assert.equal(recorder.packets.length, 2);
  }
});

Deno.test("a frame as long as may be is taken, a longer one is refused by its head, and any where none is expected", () => {
  const lengths: number[] = [];
  const reader = () => new PacketReader(new PacketRecorder(), undefined, (_kind, body) => lengths.push(body.length));
  const longest = linkFrame(1, new Uint8Array(maxLinkFrameBytes));
  reader().push(longest);
  assert.deepEqual(lengths, [maxLinkFrameBytes]);
  const refused = (push: () => void, code: string) =>
    assert.throws(push, (error) => error instanceof PacketError && error.code === code);
  const head = linkFrame(1, new Uint8Array(maxLinkFrameBytes + 1)).subarray(0, 5);
  refused(() => reader().push(head), "too-large");
  refused(() => new PacketReader(new PacketRecorder()).push(longest.subarray(0, 5)), "compressed");
});

Deno.test("an id of five bytes is read as a whole, also where its last one could be the tag of what follows it", () => {
  const recorder = new PacketRecorder();
  const [id, payload] = [0x1a * 2 ** 28 + 5, new Uint8Array(25).fill(7)];
  new PacketReader(recorder).push(framePacket(dataPacket(id, payload)));
  assert.deepEqual([recorder.ids, recorder.data], [[id], payload]);
});
