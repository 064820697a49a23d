import assert from "node:assert/strict";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { refuseRenewals, statusOf, withLeases } from "./told_leases.ts";

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
      // In the order in which they were taken, which is either worker's luck.
      const listed = items.map(({ name, own }) => ({ name, own })).sort((a, b) => a.name < b.name ? -1 : 1);
      assert.deepEqual(listed, names.map((name) => ({ name, own: true })));
      assert.equal(status?.server.serverCount, 2);
    }, withWorkers());
  },
);
