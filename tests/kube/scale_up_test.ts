import assert from "node:assert/strict";
import { KubeClient } from "../../src/kube/client/kube_client.ts";
import { leaseName } from "../../src/kube/leases/lease_controller.ts";
import { LeasesApi } from "../../src/kube/leases/leases_api.ts";
import { loadApiAccess } from "../../src/kube/access/load_access.ts";
import { tellFigure } from "../support/assert/figures.ts";
import { until } from "../support/assert/until.ts";
import type { Cluster } from "./cluster.ts";
import { agentMetric, type Finding, HaFleet, leaseNamespace, metric } from "./ha_fleet.ts";
import { clusterTests } from "./kube_test_case.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

const { test } = await clusterTests();

const agentCount = 3;
/** Between attempts of agents that nothing hurries, in minutes: what comes sooner by far was told by the API. */
const intervalMinutes = 30;
const boundMs = 60_000;

/** How long a server took to be joined, in milliseconds. */
interface Joined {
  /** From the start of its process to its lease. */
  readonly leaseMs: number;
  /** From its lease, as a watch has it, to each agent's link, the soonest first. */
  readonly linksMs: readonly number[];
}

/** Notes when leases are created, as somebody sees it who watches them. */
class LeaseTimes implements AsyncDisposable {
  readonly #seen = new Map<string, number>();
  readonly #client: KubeClient;
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  private constructor(client: KubeClient, api: LeasesApi, resourceVersion: string) {
    this.#client = client;
    const scope = { namespace: leaseNamespace, labelSelector: "" };
    this.#watching = (async () => {
      for await (const event of await api.watch(scope, resourceVersion, this.#stop.signal)) {
        if (event.kind !== "bookmark" && !this.#seen.has(event.lease.name)) {
          this.#seen.set(event.lease.name, performance.now());
        }
      }
    })().catch((error) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  static async watch(cluster: Cluster): Promise<LeaseTimes> {
    const access = await loadApiAccess(cluster.adminKubeconfig, () => undefined, systemClock);
    const client = new KubeClient(access, { userAgent: "test", clock: systemClock });
    const api = new LeasesApi(client);
    const { resourceVersion } = await api.list({ namespace: leaseNamespace, labelSelector: "" }, this.#never);
    return new LeaseTimes(client, api, resourceVersion);
  }

  static readonly #never = new AbortController().signal;

  of(serverId: string): number | undefined {
    return this.#seen.get(leaseName(serverId));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("enough"));
    await this.#watching;
    this.#client[Symbol.dispose]();
  }
}

async function join(fleet: HaFleet, leases: LeaseTimes, id: string): Promise<Joined> {
  const startedAt = performance.now();
  const linkedAt: number[] = [];
  const linked = Promise.all(fleet.agents.map(async ({ program }, at) => {
    await until(`agent ${at} is linked to ${id}`, () => program.log.includes(`connected to server ${id} at`), boundMs);
    linkedAt.push(performance.now());
  }));
  await Promise.all([fleet.addServer(id), linked]);
  const leaseAt = await until("the lease is seen", () => leases.of(id));
  assert.ok(leaseAt !== undefined);
  return { leaseMs: leaseAt - startedAt, linksMs: linkedAt.map((at) => at - leaseAt) };
}

/** From one server to three, and twice one more in the place of one that has gone. */
async function scaleUp(cluster: Cluster, finding: Finding): Promise<Joined[]> {
  const agentFlags = [`--sync-interval=${intervalMinutes}m`, `--sync-interval-cap=${intervalMinutes}m`];
  await using fleet = await HaFleet.open(cluster, { finding, agentFlags });
  await using leases = await LeaseTimes.watch(cluster);
  const id = (round: number) => `${finding}-${round}`;
  await fleet.addServer(id(0));
  for (let at = 0; at < agentCount; at++) await fleet.addAgent();
  await fleet.agentsHave(1);
  const rounds = [await join(fleet, leases, id(1)), await join(fleet, leases, id(2))];
  for (const round of [3, 4]) {
    await fleet.server(id(round - 1)).process.stop();
    await fleet.forget(id(round - 1));
    await fleet.agentsHave(2);
    rounds.push(await join(fleet, leases, id(round)));
  }
  // Nothing was asked for anew: the agents listed the leases once, and were told of the rest.
  for (const agent of fleet.agents) assert.equal(await metric(agent, `${agentMetric}_lease_lists_total`), 1);
  return rounds;
}

for (const finding of ["addresses", "balancer"] as const) {
  const where = finding === "balancer" ? "behind a balancer's address" : "under its own address";
  test(
    `a new server ${where} is joined by every agent when its lease is there, long before their interval is over`,
    async (cluster, t) => {
      const rounds = await scaleUp(cluster, finding);
      for (const { linksMs } of rounds) assert.ok(linksMs.every((ms) => ms < boundMs));
      const figures = (of: (joined: Joined) => number) => rounds.map((joined) => Math.round(of(joined))).join(", ");
      await tellFigure(
        t,
        `a new server ${where} is linked to all ${agentCount} agents ` +
          `${figures(({ linksMs }) => linksMs.at(-1) ?? NaN)} ms after its lease was seen, ` +
          `which was ${figures(({ leaseMs }) => leaseMs)} ms after the start of its process`,
      );
    },
  );
}
