import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { listenConnect } from "../http_connect/connect_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import type { ListenAddress } from "../tcp/listen.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Listeners by what they speak; all refuse who speaks something else. */
const listeners = {
  "HTTP CONNECT": (address: ListenAddress, clock: Clock) =>
    listenConnect({ address, clock, fetch: () => new Response("", { status: 503 }), onConnectionError: () => {} }),
  "HTTP/2": (address: ListenAddress, clock: Clock) =>
    listenGrpcOwn({ address, clock, services: [], router: () => {}, onConnectionError: () => {} }),
};

/** Descriptors of this process that are sockets. */
function sockets(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith("socket:")) count++;
    } catch {
      // The descriptor that lists the folder is gone by now.
    }
  }
  return count;
}

for (const [what, listen] of Object.entries(listeners)) {
  leakTest(`a peer that speaks no ${what}, is told so and stays, is dropped after a while`, async () => {
    const dir = await Deno.makeTempDir();
    const path = `${dir}/socket`;
    {
      const clock = new VirtualClock();
      await using _listener = await listen({ kind: "unix", path, deleteExisting: true }, clock);
      const before = sockets();
      const client = connect({ path, allowHalfOpen: true });
      client.resume();
      client.write("neither of them\r\n\r\n");
      await once(client, "end");
      assert.equal(sockets() - before, 2);
      clock.advance(20_000);
      // The client's own end is all that is left.
      for (let turn = 0; turn < 1000 && sockets() - before > 1; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(sockets() - before, 1);
      client.destroy();
      await once(client, "close");
    }
    await Deno.remove(dir, { recursive: true });
  });
}
