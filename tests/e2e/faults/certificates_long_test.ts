import { until } from "../../support/assert/until.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { bad, freshPair, readingMs, replaceBadly } from "./replaced_files.ts";

faultTest("an agent's certificate and key are replaced in the wrong order, in halves and by others'", async () => {
  await using world = await FaultWorld.start("grpc-uds");
  const { launched } = world;
  const { certificates: { clientCert, clientKey } } = launched;
  const fresh = await freshPair();
  await replaceBadly(clientCert, clientKey, fresh, world);
  await until("it is read and refused", () => bad.test(launched.agent.program.log), 6 * readingMs);
  await Deno.writeTextFile(clientKey, fresh.keyPem);
  await until("the agent has read it", () => launched.agent.program.log.includes("certificates changed on disk"));
  const over = world.excuse("the server is killed, so that its agent links anew");
  await launched.kill(launched.server);
  await launched.startServer();
  await launched.ready();
  over();
  await world.end();
});
