import assert from "node:assert/strict";
import type { AgentStatus } from "../../src/ops/status/agent_status.ts";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { leaseValue } from "../support/fakes/fake_kube_api.ts";
import { konnectivity } from "../support/processes/konnectivity.ts";
import { httpGet } from "../support/processes/processes.ts";
import { refuseRenewals, statusOf, withLeases } from "./told_leases.ts";

const labels = { "k8s-app": "konnectivity-server" };

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
