import assert from "node:assert/strict";
import type { AgentStatus } from "../../src/ops/status/agent_status.ts";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { type FakeCall, leaseValue } from "../support/fakes/fake_kube_api.ts";
import { writeKubeconfig } from "../support/fakes/fake_kubeconfig.ts";
import { type FakeLeases, startFakeLeases } from "../support/fakes/fake_leases.ts";
import { konnectivity } from "../support/processes/konnectivity.ts";
import { Launched, type LaunchOptions } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { withWorkers } from "../support/processes/workers.ts";

const labels = { "k8s-app": "konnectivity-server" };

async function statusOf<S extends ServerStatus | AgentStatus>(port: number): Promise<S> {
  const { status, body } = await httpGet(port, "/status");
  assert.equal(status, 200, body);
  return JSON.parse(body) as S;
}

/** A server that holds a lease and an agent that counts them, with an API that a test plays. */
async function withLeases(
  run: (launched: Launched, world: FakeLeases) => Promise<void>,
  { serverFlags = [] }: LaunchOptions,
): Promise<void> {
  await using world = await startFakeLeases();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const kubeconfig = `--kubeconfig=${await writeKubeconfig(folder, world.api)}`;
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: ["--enable-lease-controller", kubeconfig, ...serverFlags],
      agentFlags: ["--count-server-leases", kubeconfig],
    });
    await run(launched, world);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Refuses the renewal of one lease, or of any. */
function refuseRenewals(world: FakeLeases, name = ""): void {
  world.intercept = (call: FakeCall) => {
    if (call.method !== "PUT" || !call.path.endsWith(name)) return false;
    call.fail(403, "Forbidden", "leases is forbidden: User cannot update");
    return true;
  };
}

leakTest(
  "status, page and check tell of a lease without a link, of a lease that is not renewed, and of an API that is away",
  async () => {
    await withLeases(async (launched, world) => {
      const { adminPort } = launched.agent;
      world.put(leaseValue("lost", { renewed: Date.now(), seconds: 3600, labels }));
      const ofAgent = await until("the agent knows both leases", async () => {
        const status = await statusOf<AgentStatus>(adminPort);
        return status.leases?.count === 2 && status.leases.linked === 1 ? status : undefined;
      });
      await assertDocumented(ofAgent);
      assert.deepEqual(ofAgent?.leases?.items.map(({ holder, linked }) => [holder, linked]), [
        ["lost", false],
        ["leased", true],
      ]);
      const shown = await konnectivity(["status", "--admin", `127.0.0.1:${adminPort}`]);
      assert.match(shown.stdout, /^Degraded .* leases +2 servers hold leases; linked to 1: leased; no link to lost$/m);
      assert.equal(shown.code, 2);
      const checked = await konnectivity(["check", "--admin", `127.0.0.1:${adminPort}`]);
      assert.match(checked.stdout, /^warning +leases +proxy-agent: leases: 2 servers hold leases; .*no link to lost/m);
      assert.match((await httpGet(adminPort, "/")).body, /no link to lost, by the servers/);

      const held = await statusOf<ServerStatus>(launched.server.adminPort);
      await assertDocumented(held);
      const [own] = held.leases?.own ?? [];
      assert.deepEqual([own?.name, own?.held, own?.failure], ["konnectivity-proxy-server-leased", true, undefined]);
      refuseRenewals(world);
      const refused = await until("a renewal has been refused", async () => {
        const status = await statusOf<ServerStatus>(launched.server.adminPort);
        return status.leases?.own[0]?.failure === undefined ? undefined : status;
      });
      await assertDocumented(refused);
      const [last] = refused?.leases?.own ?? [];
      assert.match(last?.failure ?? "", /leases is forbidden: User cannot update/);
      assert.ok(last?.held === true && (last.renewedSeconds ?? 0) > 10, JSON.stringify(last));
      const server = await konnectivity(["status", "--admin", `127.0.0.1:${launched.server.adminPort}`]);
      assert.match(
        server.stdout,
        /^Degraded .* leases +the own lease konnectivity-proxy-server-leased cannot be renewed/m,
      );
      assert.match((await httpGet(launched.server.adminPort, "/")).body, /its own lease cannot be renewed/);

      world.intercept = (call) => {
        call.fail(503, "ServiceUnavailable", "the API is away");
        return true;
      };
      world.endWatches();
      const away = await until("the agent cannot follow leases", async () => {
        const status = await statusOf<AgentStatus>(adminPort);
        return status.leases?.failure === undefined ? undefined : status;
      });
      await assertDocumented(away);
      const lines = await konnectivity(["status", "--admin", `127.0.0.1:${adminPort}`]);
      assert.match(lines.stdout, /^Degraded .* leases +not followed for .*: .*the API is away; as far as is known 2/m);
      world.intercept = () => false;
      await until("it follows them again", async () => (await statusOf<AgentStatus>(adminPort)).leases?.followed);
    }, { serverFlags: ["--server-id=leased"] });
  },
);

leakTest(
  "a command with workers tells of the lease of each, and counts them against what it tells agents",
  async () => {
    await withLeases(async (launched, world) => {
      const names = ["konnectivity-proxy-server-many", "konnectivity-proxy-server-many-worker-1"];
      await until("each has its lease, and knows it", async () => {
        const own = (await statusOf<ServerStatus>(launched.server.adminPort)).leases?.own ?? [];
        return world.names.join() === names.join() && own.length === 2 && own.every(({ held }) => held);
      });
      refuseRenewals(world, "many-worker-1");
      const status = await until("both are listed, and a renewal has been refused", async () => {
        const seen = await statusOf<ServerStatus>(launched.server.adminPort);
        return seen.leases?.count === 2 && seen.leases.own.some(({ failure }) => failure) ? seen : undefined;
      });
      await assertDocumented(status);
      const { own = [], items = [] } = status?.leases ?? {};
      assert.deepEqual(own.map(({ name, held, worker }) => [name, held, worker]), [
        [names[0], true, 0],
        [names[1], true, 1],
      ]);
      assert.deepEqual(own.map(({ failure }) => failure === undefined), [true, false]);
      assert.deepEqual(items.map(({ name, own }) => [name, own]), names.map((name) => [name, true]));
      assert.equal(status?.server.serverCount, 2);
    }, withWorkers());
  },
);
