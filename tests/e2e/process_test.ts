import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { drainsServer, killsAgent, killsServer } from "./kills_and_signals.ts";

leakTest(
  "[pains a-11] connect-uds: a server that is killed leaves no client waiting, and its agent joins the one that follows",
  () => killsServer("connect-uds"),
);

leakTest(
  "[server W18] [pains a-14] connect-tls: an agent that is killed fails pending dials with the reason, ends its tunnels, and /readyz says so",
  () => killsAgent("connect-tls"),
);

leakTest(
  "[server W30] grpc-uds: SIGTERM with open tunnels refuses new ones, lets these finish, and ends with 0",
  () => drainsServer("grpc-uds"),
);

leakTest("[server W29] tunnels that outlive the grace are ended, and their server ends with 0", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-uds", { serverFlags: ["--graceful-shutdown-timeout=500ms"] });
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  launched.server.program.signal("SIGTERM");
  assert.match(String(await open.end()), /shutting down/);
  assert.equal(await launched.end(launched.server), 0, launched.logs);
  await assert.rejects(Deno.lstat(launched.uds), Deno.errors.NotFound);
});

leakTest("a second signal ends a server at once, with 1 and whatever is open", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-uds", { serverFlags: ["--graceful-shutdown-timeout=1h"] });
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  launched.server.program.signal("SIGTERM");
  await until("it is not ready", async () => (await httpGet(launched.server.healthPort, "/readyz")).status !== 200);
  launched.server.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.server), 1, launched.logs);
  await open.end();
});
