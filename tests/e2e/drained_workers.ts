import assert from "node:assert/strict";
import { ProxyError } from "../../src/client/mod.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { until } from "../support/assert/until.ts";
import { connections, openTunnels, readiness, withWorkers } from "../support/processes/workers.ts";

/** SIGTERM drains every worker, and the command ends with 0 and leaves nothing. */
export async function drainsWorkers(kind: "grpc-tls" | "connect-uds"): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(
    kind,
    withWorkers({ serverFlags: ["--graceful-shutdown-timeout=1h"] }),
  );
  await using client = await launched.client();
  await using open = new AsyncDisposableStack();
  const tunnels = await openTunnels(launched, connections, echo.address, open);
  launched.server.program.signal("SIGTERM");
  await until("it is not ready", async () => await readiness(launched) === "proxy server is shutting down");
  // The command says so first, and its workers hear of it a moment later.
  await until("dials are refused", async () => {
    try {
      await using _late = await client.dial(echo.address);
      return false;
    } catch (error) {
      assert.ok(error instanceof ProxyError, String(error));
      return true;
    }
  });
  for (const tunnel of tunnels) assert.equal(await tunnel.ask("after"), "after");
  assert.equal(launched.server.program.status, undefined, launched.logs);
  await Promise.all(tunnels.map(({ tunnel }) => tunnel.close()));
  assert.equal(await launched.end(launched.server), 0, launched.logs);
  assert.match(launched.server.program.log, /waiting for \d+ tunnels, 3600000 ms at most worker="\d"/);
  if (launched.uds !== "") await assert.rejects(Deno.lstat(launched.uds), Deno.errors.NotFound);
  // Its ports are free for the next at once.
  await launched.startServer();
  await launched.ready();
  await using again = await launched.client();
  const next = new Conversation(open.use(await again.dial(echo.address)));
  assert.equal(await next.ask("hello again"), "hello again");
  await until(
    "the new server and the agent are all that is left",
    async () => (await processesWith(launched.folder)).length === 2,
  );
}
