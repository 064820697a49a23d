import assert from "node:assert/strict";
import { openChannel, sessionOn } from "../../tests/support/memory/channel_owner.ts";
import { packetPair, PacketRecorder } from "../../tests/support/memory/packet_pair.ts";
import { shortName } from "../../tests/support/memory/server_world.ts";
import { flowLimits } from "./flow_limits.ts";

const { initialWindowBytes } = flowLimits;

/** A channel with a window, whose peer is far away. */
function windowed() {
  const pair = packetPair();
  const peer = new PacketRecorder(shortName);
  pair.far.start(peer);
  pair.near.roundTripMs = 1_000;
  const violations: string[] = [];
  const session = sessionOn(pair.near, { windows: true });
  const channel = openChannel(session, 1, { violated: (what) => void violations.push(what) });
  return { pair, peer, session, channel, violations };
}

Deno.test("a peer gives credit back that it was given beyond what it began with", () => {
  const { channel, session, violations } = windowed();
  assert.equal(channel.granted(-1), false);
  channel.deliver(new Uint8Array(initialWindowBytes));
  assert.equal(channel.granted(-1), true);
  session.granted(1, -2);
  assert.deepEqual(violations, []);
  session.granted(1, -4 * initialWindowBytes);
  session.granted(7, -1);
  assert.deepEqual(violations, ["returned impossible credit"]);
});

Deno.test("a peer that has ended is given no credit any more, and a tunnel that is over gives none", () => {
  for (const end of ["peerEnded", "release"] as const) {
    const { channel, pair, peer } = windowed();
    channel.pause();
    channel.deliver(new Uint8Array(initialWindowBytes));
    channel[end]();
    channel.resume();
    pair.settle();
    assert.deepEqual([channel.heldBytes, peer.log], [0, []], end);
  }
});
