import assert from "node:assert/strict";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { readiness, withWorkers } from "../support/processes/workers.ts";
import { drainsWorkers } from "./drained_workers.ts";

leakTest(
  "grpc-tls: SIGTERM drains every worker, and the command ends with 0 and leaves nothing",
  () => drainsWorkers("grpc-tls"),
);

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
