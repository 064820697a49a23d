import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { leakTest } from "../support/assert/leak_free.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { connections, openTunnels, tunnelsOfWorkers, withWorkers } from "../support/processes/workers.ts";
import { sharesFrontend } from "./shared_frontend.ts";

for (const kind of ["connect-tls", "connect-uds", "grpc-uds"] as const) {
  leakTest(`${kind}: workers share the frontend, and the agent has a link to each`, () => sharesFrontend(kind));
}

leakTest("over the runtime's HTTP/2 workers share a Unix socket too", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-uds", withWorkers({ serverFlags: ["--http2=runtime"] }));
  await using open = new AsyncDisposableStack();
  const tunnels = await openTunnels(launched, connections, echo.address, open);
  for (const tunnel of tunnels) assert.equal(await tunnel.ask("hello"), "hello");
});

leakTest("from source a server runs workers too", async () => {
  const launch = fileURLToPath(new URL("../../tools/launch.sh", import.meta.url));
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-tls", {
    ...withWorkers(),
    serverCommand: ["sh", launch, "server"],
  });
  await using open = new AsyncDisposableStack();
  const tunnels = await openTunnels(launched, connections, echo.address, open);
  for (const tunnel of tunnels) assert.equal(await tunnel.ask("hello"), "hello");
  assert.ok((await tunnelsOfWorkers(launched)).every((count) => count > 0));
});
