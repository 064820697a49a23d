import assert from "node:assert/strict";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { sourceDestination } from "../../support/in_process/destinations.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { echoProcess, PeerProcess } from "./peer_process.ts";

const transferBytes = 64 * 1024 * 1024;

faultTest("a client is killed within a download", async () => {
  await using world = await FaultWorld.start("connect-uds");
  await using source = await sourceDestination();
  await using client = new PeerProcess("take", world.launched.uds, source.address, String(transferBytes));
  await client.says(/half/);
  await client.kill();
  await until("its destination is left", () => source.open === 0);
  await world.end();
});

faultTest("a destination is killed", async () => {
  await using world = await FaultWorld.start("grpc-uds");
  const { peer, address } = await echoProcess();
  await using _peer = peer;
  await using client = await world.launched.client();
  const open = new Conversation(await client.dial(address));
  assert.equal(await open.ask("before"), "before");
  await peer.kill();
  await open.end();
  await assert.rejects(client.dial(address), /connection refused/);
  await open.tunnel.close();
  await world.end();
});
