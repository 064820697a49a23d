import assert from "node:assert/strict";
import { Conversation } from "../../support/in_process/conversation.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { echoProcess } from "./peer_process.ts";

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
