/** Probes of destinations through the tunnel, with real processes on all sides. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Launched } from "../support/processes/launched.ts";
import { metrics, readiness, withWorkers, workers } from "../support/processes/workers.ts";
import { followsDestination, MortalDestination, statusOf, verbose } from "./probed.ts";

leakTest(
  "connect-uds: a destination that goes away and comes back is seen in readiness, metrics, status and audit log",
  () => followsDestination("connect-uds"),
);

leakTest("an agent that is asked to end does, however often the server probes", async () => {
  await using destination = await MortalDestination.start();
  await using launched = await Launched.start("grpc-uds", {
    serverFlags: [`--probe-destination=${destination.address}`, "--probe-interval=100ms", "--probe-readiness"],
  });
  await until("probes follow each other", () => destination.accepted > 3);
  launched.agent.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.agent), 0, launched.logs);
});

leakTest("every worker probes, and the command's checks, metrics and status are those of all", async () => {
  await using destination = await MortalDestination.start();
  const { address } = destination;
  await using launched = await Launched.start(
    "connect-uds",
    withWorkers({ serverFlags: [`--probe-destination=${address}`, "--probe-interval=1s", "--probe-readiness"] }),
  );
  const of = `{destination="${address}"}`;
  const shown =
    `[+]shutdown ok\n[+]worker/0 ok\n[+]worker/1 ok\n[+]descriptors ok\n[+]probe/${address} ok\ncheck passed\n`;
  await until("the checks of both pass", async () => await verbose(launched) === shown);
  const { probes } = await statusOf(launched);
  assert.deepEqual(probes.map(({ worker }) => worker), Array.from({ length: workers }, (_, at) => at));
  const counted = await metrics(launched);
  assert.equal(counted.get(`probe_success${of}`), 1);
  assert.ok((counted.get(`probe_duration_seconds_count${of}`) ?? 0) >= workers);
  assert.equal(counted.get("dial_duration_seconds_count"), 0);
  await destination.die();
  await until("a worker is not ready", async () => /^worker \d: no probe reaches/.test(await readiness(launched)));
  assert.equal((await metrics(launched)).get(`probe_success${of}`), 0);
  await until(
    "the check names the worker",
    async () =>
      /failed \(does not count by itself\): worker \d: the agent could not connect\n/.test(await verbose(launched)),
  );
  await destination.rise();
  await launched.ready();
});
