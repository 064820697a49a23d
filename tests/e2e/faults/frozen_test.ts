import assert from "node:assert/strict";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { metric } from "../../support/processes/fleet.ts";
import { agentFlagsOf, Launched } from "../../support/processes/launched.ts";
import { httpGet, launcherOf, startAgent } from "../../support/processes/processes.ts";
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

faultTest("an agent is frozen", async () => {
  await using world = await FaultWorld.start("grpc-uds", { serverFlags: impatient });
  const { launched } = world;
  await using second = await startAgent(
    agentFlagsOf(launched.certificates, launched.server.agentPort),
    {},
    await launcherOf("agent"),
  );
  await second.ready();
  const backends = () => metric(launched.server.healthPort, "server_ready_backend_connections");
  await until("both agents are linked", async () => await backends() === 2);
  await world.goesOn();
  const over = world.excuse("the agent is frozen");
  second.program.signal("SIGSTOP");
  await until("the server gives it up", async () => await backends() === 1);
  over();
  await world.goesOn();
  second.program.signal("SIGCONT");
  await until("it is linked again", async () => await backends() === 2);
  await world.end();
});
