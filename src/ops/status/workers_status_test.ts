import assert from "node:assert/strict";
import { agent, server } from "../../../tests/support/memory/status_samples.ts";
import type { ServerStatus } from "./server_status.ts";
import { parseStatusQuery, type StatusQuery } from "./status_query.ts";
import { workersStatus } from "./workers_status.ts";

const facts = {
  name: "proxy-server",
  version: "v0",
  notReady: () => "no agent is connected",
  draining: () => true,
  listeners: () => [],
  certificates: () => [],
} as const;

const own = { id: "s1", serverCount: 1, strategies: [] };

/** A worker with these agents, which answers the page that it is asked for. */
function worker(names: readonly string[], changes: Partial<ServerStatus> = {}) {
  return ({ agents: { from, size } }: StatusQuery): Promise<ServerStatus> =>
    Promise.resolve(server({
      agents: {
        total: names.length + 1,
        matched: names.length,
        from,
        items: names.slice(from, from + size).map((name) => agent(name)),
      },
      ...changes,
    }));
}

function read(workers: readonly ((query: StatusQuery) => Promise<ServerStatus | undefined>)[], query = "") {
  const tables = { facts, server: () => own, workers: () => workers };
  return workersStatus(tables, parseStatusQuery(new URLSearchParams(query)));
}

Deno.test("a page goes on from one worker to the next, wherever it begins and ends", async () => {
  const workers = [worker(["a", "b", "c"]), worker([]), () => Promise.resolve(undefined), worker(["d", "e"])];
  const all = ["a 0", "b 0", "c 0", "d 3", "e 3"];
  for (let from = 0; from <= 6; from++) {
    for (let size = 0; size <= 6; size++) {
      const { agents } = await read(workers, `agents=${size}&agents_from=${from}`);
      assert.deepEqual(agents.items.map(({ id, worker }) => `${id} ${worker}`), all.slice(from, from + size));
      assert.deepEqual([agents.total, agents.matched, agents.from], [8, 5, from]);
    }
  }
});

Deno.test("what is of the command is the command's, and of workers' failures the last are shown, the last one first", async () => {
  const failure = (minute: number) => ({
    time: new Date(minute * 60_000).toISOString(),
    reason: "no_agent",
    message: "",
    destination: "",
  });
  const minutes = (of: readonly number[]) => of.map(failure);
  const even = Array.from({ length: 40 }, (_, at) => 80 - 2 * at);
  const probe = { destination: "web:80" } as ServerStatus["probes"][number];
  const status = await read([
    worker([], { failures: minutes(even), probes: [probe] }),
    worker([], { failures: minutes(even.map((minute) => minute - 1)), certificates: [] }),
  ]);
  assert.deepEqual(status.failures, minutes(Array.from({ length: 50 }, (_, at) => 80 - at)));
  assert.deepEqual(status.probes, [{ ...probe, worker: 0 }]);
  assert.equal(status.certificates.length, 1);
  assert.deepEqual([status.server, status.ready, status.draining], [own, false, true]);
  assert.equal(status.leases, undefined);
});
