import assert from "node:assert/strict";
import fc from "fast-check";
import { type ConnectId, connectId } from "./connect_id.ts";
import { dataHeader } from "./data_header.ts";
import { wireLimits } from "./limits.ts";
import { dataPacket, framePacket } from "./packet.ts";

function assertAsGenerated(id: ConnectId, payloadBytes: number): void {
  const framed = framePacket(dataPacket(id, new Uint8Array(payloadBytes)));
  assert.deepEqual(dataHeader(id, payloadBytes), framed.slice(0, framed.length - payloadBytes));
}

Deno.test("a DATA header is the generated codec's, byte for byte, at every edge of its varints", () => {
  for (const id of [0, 1, 127, 128, 2 ** 28, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 63n - 1n, -1n]) {
    for (const bytes of [1, 111, 112, 113, 127, 128, 16_371, 16_384, 65_536, wireLimits.maxMessageBytes]) {
      assertAsGenerated(id, bytes);
    }
  }
});

Deno.test("a DATA header is the generated codec's for any id and length", () => {
  const ids = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(fc.property(ids, fc.integer({ min: 1, max: 70_000 }), (id, bytes) => {
    assertAsGenerated(connectId(id), bytes);
  }));
});

Deno.test("[client 0.1] a DATA header of 103 bytes for connection 1 is the captured one", () => {
  assert.equal(dataHeader(1, 103).toHex(), "000000006f" + "0804226b08011a67");
});
