import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { drainsWorkers } from "./drained_workers.ts";

leakTest(
  "connect-uds: SIGTERM drains every worker, and the command ends with 0 and leaves nothing",
  () => drainsWorkers("connect-uds"),
);

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
