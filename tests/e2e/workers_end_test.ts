import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ProxyError } from "../../src/client/mod.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { until } from "../support/assert/until.ts";
import { connections, openTunnels, readiness, withWorkers } from "../support/processes/workers.ts";

for (const kind of ["grpc-tls", "connect-uds"] as const) {
  leakTest(`${kind}: SIGTERM drains every worker, and the command ends with 0 and leaves nothing`, async () => {
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
  });
}

leakTest("a second signal ends a server with workers at once, with 1 and whatever is open", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start(
    "grpc-uds",
    withWorkers({ serverFlags: ["--graceful-shutdown-timeout=1h"] }),
  );
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  launched.server.program.signal("SIGTERM");
  await until("it is not ready", async () => await readiness(launched) === "proxy server is shutting down");
  launched.server.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.server), 1, launched.logs);
  await open.end();
});

leakTest("a worker that ends takes the command with it, with 1 and the reason", async () => {
  const entry = fileURLToPath(new URL("../support/processes/mortal_server.ts", import.meta.url));
  const command = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", entry, "server"];
  await using launched = await Launched.start("connect-uds", { ...withWorkers(), serverCommand: command });
  await using echo = await echoDestination();
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  await Deno.writeTextFile(`${launched.uds}.death`, "");
  assert.equal(await launched.end(launched.server), 1, launched.logs);
  assert.match(launched.server.program.log, /failed to run the proxy server: worker \d ended: Uncaught Error: it dies/);
  await open.end();
});
