import assert from "node:assert/strict";
import { frameType } from "../../../src/h2/frames/frame.ts";
import { codeOf, H2Peer, headers } from "./h2_peer.ts";

// Cases of RFC 9113 as tests, each of the bytes that a client sends behind its preface and SETTINGS.

/** Ends the connection with this code. */
export function endsConnection(title: string, code: number, ...bytes: readonly Uint8Array[]): void {
  Deno.test(title, () => {
    const peer = H2Peer.begun();
    peer.push(...bytes);
    assert.equal(codeOf(peer.sent(), frameType.goaway), code);
    assert.ok(peer.ended && peer.closed, "the connection is closed");
    assert.equal(peer.error?.code, code);
    // Whatever follows is dropped.
    peer.push(headers(99));
    assert.deepEqual(peer.sent(), []);
  });
}

/** Ends stream 1 with this code, and nothing else. */
export function endsStream(title: string, code: number, ...bytes: readonly Uint8Array[]): void {
  Deno.test(title, () => {
    const peer = H2Peer.begun();
    peer.push(...bytes);
    const frames = peer.sent();
    assert.equal(codeOf(frames, frameType.rstStream), code);
    assert.equal(frames.find((one) => one.type === frameType.rstStream)?.streamId, 1);
    assert.equal(peer.connection.streamCount, 0);
    assert.ok(peer.lives, "the connection goes on");
  });
}

/** Is taken, and the connection goes on. */
export function isTaken(title: string, ...bytes: readonly Uint8Array[]): void {
  Deno.test(title, () => {
    const peer = H2Peer.begun();
    peer.push(...bytes);
    assert.equal(codeOf(peer.sent(), frameType.goaway), undefined);
    assert.ok(peer.lives);
  });
}
