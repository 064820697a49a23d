import assert from "node:assert/strict";
import { Conversation } from "../../support/in_process/conversation.ts";
import { patternBytes, sourceDestination } from "../../support/in_process/destinations.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { echoProcess, PeerProcess } from "./peer_process.ts";
import { until } from "../../support/assert/until.ts";
import { metric } from "../../support/processes/fleet.ts";
import { agentFlagsOf, Launched } from "../../support/processes/launched.ts";
import { launcherOf, startAgent } from "../../support/processes/processes.ts";

const transferBytes = 32 * 1024 * 1024;

/** So that a peer that is silent is given up within seconds. */
const impatient = ["--keepalive-time=1s"];

faultTest("a server is frozen for a moment", async () => {
  await using world = await FaultWorld.start("grpc-uds");
  await using frozen = await Launched.start("grpc-uds");
  await using client = await frozen.client();
  const open = new Conversation(await client.dial(world.echo.address));
  assert.equal(await open.ask("before"), "before");
  frozen.server.program.signal("SIGSTOP");
  const answer = open.ask("meanwhile");
  const dial = client.dial(world.echo.address);
  await world.goesOn();
  frozen.server.program.signal("SIGCONT");
  assert.equal(await answer, "meanwhile");
  const late = new Conversation(await dial);
  assert.equal(await late.ask("late"), "late");
  await Promise.all([open.tunnel.close(), late.tunnel.close()]);
  await world.end();
});

faultTest("a client is frozen within a download", async () => {
  await using world = await FaultWorld.start("connect-uds");
  await using source = await sourceDestination();
  await using client = new PeerProcess("take", world.launched.uds, source.address, String(transferBytes));
  await client.says(/half/);
  client.program.signal("SIGSTOP");
  await world.goesOn();
  client.program.signal("SIGCONT");
  await client.says(/whole/);
  await world.end();
});

faultTest("a destination is frozen", async () => {
  await using world = await FaultWorld.start("connect-uds");
  const { peer, address } = await echoProcess();
  await using _peer = peer;
  await using client = await world.launched.client();
  await using tunnel = await client.dial(address);
  peer.program.signal("SIGSTOP");
  // More than the sockets and windows on the way hold.
  const sent = patternBytes(transferBytes);
  const writer = tunnel.writable.getWriter();
  const sending = writer.write(sent).then(() => writer.close());
  const echoed = new Response(tunnel.readable).bytes();
  await world.goesOn();
  peer.program.signal("SIGCONT");
  await sending;
  assert.ok(sent.equals(await echoed), "other bytes than those that were sent");
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
