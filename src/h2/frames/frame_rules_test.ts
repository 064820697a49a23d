import assert from "node:assert/strict";
import { frameFlag, frameType, h2Code } from "./frame.ts";
import { frameFault } from "./frame_rules.ts";

Deno.test("frames of a wrong length or on a wrong stream are faults, and those at the edge are none", () => {
  const { headers, priority, rstStream, settings, ping, goaway, windowUpdate, data } = frameType;
  const sound = [
    [headers, 0, 1, 0],
    [priority, 0, 2, 5],
    [rstStream, 0, 1, 4],
    [settings, 0, 0, 0],
    [settings, 0, 0, 12],
    [settings, frameFlag.ack, 0, 0],
    [ping, 0, 0, 8],
    [goaway, 0, 0, 8],
    [goaway, 0, 0, 9],
    [windowUpdate, 0, 0, 4],
    [data, 0, 2, 7],
  ] as const;
  for (const [type, flags, streamId, length] of sound) {
    assert.equal(frameFault(type, flags, streamId, length), undefined, `${type} ${flags} ${streamId} ${length}`);
  }
  const faults = [
    [headers, 0, 2, 0, h2Code.protocolError],
    [headers, 0, 0, 0, h2Code.protocolError],
    [priority, 0, 0, 5, h2Code.protocolError],
    [rstStream, 0, 1, 3, h2Code.frameSizeError],
    [rstStream, 0, 1, 5, h2Code.frameSizeError],
    [settings, 0, 1, 0, h2Code.protocolError],
    [settings, 0, 0, 7, h2Code.frameSizeError],
    [settings, frameFlag.ack, 0, 1, h2Code.frameSizeError],
    [frameType.pushPromise, 0, 1, 4, h2Code.protocolError],
    [ping, 0, 1, 8, h2Code.protocolError],
    [ping, 0, 0, 7, h2Code.frameSizeError],
    [goaway, 0, 1, 8, h2Code.protocolError],
    [goaway, 0, 0, 7, h2Code.frameSizeError],
    [windowUpdate, 0, 0, 3, h2Code.frameSizeError],
  ] as const;
  for (const [type, flags, streamId, length, code] of faults) {
    assert.equal(frameFault(type, flags, streamId, length)?.code, code, `${type} ${flags} ${streamId} ${length}`);
  }
});
