import { until } from "../../support/assert/until.ts";
import { sourceDestination } from "../../support/in_process/destinations.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { PeerProcess } from "./peer_process.ts";

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
