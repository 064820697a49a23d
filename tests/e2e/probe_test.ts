/** Probes of destinations through the tunnel, with real processes on all sides. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { blackHole } from "../support/fakes/black_hole.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { metrics, readiness } from "../support/processes/workers.ts";
import { followsDestination, MortalDestination, statusOf, verbose } from "./probed.ts";

leakTest(
  "grpc-tls: a destination that goes away and comes back is seen in readiness, metrics, status and audit log",
  () => followsDestination("grpc-tls"),
);

leakTest(
  "an agent that goes fails the probes, and the next one has them tried at once, however long the interval",
  async () => {
    await using destination = await MortalDestination.start();
    const { address } = destination;
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: [`--probe-destination=${address}`, "--probe-interval=1h", "--probe-readiness"],
    });
    assert.equal(destination.accepted, 1, "ready means that the first probe has succeeded");
    await until("its tunnel is closed", () => destination.open === 0);
    await launched.kill(launched.agent);
    await until("the agent is missed", async () => await readiness(launched) === "no connection to any proxy agent");
    assert.match(await verbose(launched), /^\[\+\]shutdown ok\n\[-\]agent-connected failed: no connection/);

    // A new server begins without a success, whatever the one before knew.
    await destination.die();
    await launched.kill(launched.server);
    await launched.startServer();
    await launched.startAgent();
    await launched.agent.ready();
    await until(
      "the first probe has failed",
      async () => await readiness(launched) === "no probe reaches its destination",
    );
    await destination.rise();
    await launched.kill(launched.agent);
    await launched.startAgent();
    await launched.ready();
    const [probe] = (await statusOf(launched)).probes;
    assert.deepEqual([probe?.success, probe?.consecutiveFailures], [true, 0]);
  },
);

leakTest("a probe that waits is shown as one, delays no shutdown, and is closed at the agent", async () => {
  using silent = await blackHole();
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", {
    serverFlags: [
      `--probe-destination=${silent.address},${echo.address}`,
      "--probe-interval=1h",
      "--probe-timeout=1h",
      "--probe-readiness",
      "--graceful-shutdown-timeout=1h",
      "--backend-dial-timeout=0",
    ],
  });
  // The agent gives a dial up by itself, and the next agent has it tried again.
  await until("the probe waits", async () => {
    const { dials } = await statusOf(launched);
    if (dials.total > 0) {
      assert.deepEqual(dials.items.map(({ destination, client }) => [destination, client]), [
        [silent.address, { frontend: "probe", name: "probe", address: "probe" }],
      ]);
      assert.equal((await metrics(launched)).get("pending_backend_dials"), 0, "it is no client's dial");
      launched.server.program.signal("SIGTERM");
      return true;
    }
    await launched.kill(launched.agent);
    await launched.startAgent();
    return false;
  });
  assert.equal(await launched.end(launched.server), 0, launched.logs);
});
