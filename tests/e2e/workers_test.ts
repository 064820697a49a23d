import assert from "node:assert/strict";
import { writeKubeconfig } from "../support/fakes/fake_kubeconfig.ts";
import { startFakeLeases } from "../support/fakes/fake_leases.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { readiness, withWorkers } from "../support/processes/workers.ts";

leakTest(
  "a server with workers is not ready while one of them has no agent, and its log names the worker",
  async () => {
    await using launched = await Launched.start("connect-uds", withWorkers());
    await launched.kill(launched.agent);
    await until(
      "it says so",
      async () => /^worker \d: no connection to any proxy agent$/.test(await readiness(launched)),
    );
    await launched.startAgent();
    await launched.ready();
    assert.equal((await httpGet(launched.server.healthPort, "/healthz")).body, "ok");
    assert.match(launched.server.program.log, /agents\] agent \S+ disconnected, 0 connected .*worker="1"/);
  },
);

leakTest("every worker has a lease, agents count them, and the command gives them up at its end", async () => {
  await using leases = await startFakeLeases();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const kubeconfig = await writeKubeconfig(folder, leases.api);
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: ["--workers=3", "--server-id=many", "--enable-lease-controller", `--kubeconfig=${kubeconfig}`],
      agentFlags: ["--count-server-leases", `--kubeconfig=${kubeconfig}`],
    });
    const names = ["many", "many-worker-1", "many-worker-2"].map((id) => `konnectivity-proxy-server-${id}`);
    await until("each has its lease", () => leases.names.join() === names.join());
    await until("the agent has counted them", () => launched.agent.program.log.includes("3 of 3 links"));
    launched.server.program.signal("SIGTERM");
    assert.equal(await launched.end(launched.server), 0, launched.logs);
    assert.deepEqual(leases.names, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
