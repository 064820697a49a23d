import assert from "node:assert/strict";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { metric } from "../../support/processes/fleet.ts";
import { Launched } from "../../support/processes/launched.ts";
import { httpGet } from "../../support/processes/processes.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";

/** So that a peer that is silent is given up within seconds. */
const impatient = ["--keepalive-time=1s"];

faultTest("a server is frozen for longer than its agents wait", async () => {
  await using world = await FaultWorld.start("connect-uds");
  await using frozen = await Launched.start("connect-uds", { agentFlags: impatient });
  const { server, agent } = frozen;
  server.program.signal("SIGSTOP");
  await until("its agent gives it up", async () => (await httpGet(agent.healthPort, "/readyz")).status !== 200);
  await world.goesOn();
  server.program.signal("SIGCONT");
  await frozen.ready();
  await until(
    "its agent has one link",
    async () => await metric(server.healthPort, "server_ready_backend_connections") === 1,
  );
  await using client = await frozen.client();
  await using tunnel = await client.dial(world.echo.address);
  assert.equal(await new Conversation(tunnel).ask("again"), "again");
  await tunnel.close();
  await world.end();
});
