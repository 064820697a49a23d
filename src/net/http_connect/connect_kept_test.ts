import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { listenConnect } from "./connect_listener.ts";
import { systemClock } from "../../runtime/system_clock.ts";

leakTest("an open tunnel keeps nothing of the request that opened it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const dir = await Deno.makeTempDir();
  const path = `${dir}/socket`;
  const kept: WeakRef<object>[] = [];
  const ignore = { onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} };
  {
    await using _listener = await listenConnect({
      address: { kind: "unix", path, deleteExisting: true },
      fetch: (request, bindings) => {
        kept.push(new WeakRef(request), new WeakRef(request.signal), new WeakRef(bindings));
        request.signal.addEventListener("abort", () => {});
        bindings.tunnel = (stream) => stream.start(ignore);
        return new Response(null, { status: 200 });
      },
      clock: systemClock,
      onConnectionError: () => {},
    });
    const clients = [];
    for (let count = 0; count < 3; count++) {
      const client = connect(path);
      clients.push(client);
      client.write("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(client, "data");
    }
    await until("all of it is garbage", () => {
      collect();
      return kept.every((one) => one.deref() === undefined);
    });
    assert.equal(kept.length, 9);
    for (const client of clients) {
      client.destroy();
      await once(client, "close");
    }
  }
  await Deno.remove(dir, { recursive: true });
});
