import assert from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { withReadBackpressure } from "./tls_backpressure.ts";

Deno.test("a transport stays stopped where what was decrypted makes its owner stop again", () => {
  const calls: string[] = [];
  const parent = { readStart: () => calls.push("transport starts"), readStop: () => calls.push("transport stops") };
  let pending = 1;
  const handle = {
    _parent: parent,
    readStop: () => 0,
    readStart() {
      // What waits decrypted is handed on within the call, and is too much for the owner.
      if (pending-- > 0) this.readStop();
      return 0;
    },
  };
  assert.ok(withReadBackpressure({ _handle: handle, destroyed: false } as unknown as TLSSocket));
  handle.readStop();
  handle.readStart();
  assert.deepEqual(calls, ["transport stops", "transport stops"]);
  handle.readStart();
  assert.deepEqual(calls, ["transport stops", "transport stops", "transport starts"]);
});
