import assert from "node:assert/strict";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Fleet, type ServerSeat } from "../support/processes/fleet.ts";
import { SteadyLoad } from "../support/in_process/steady_load.ts";
import { until } from "../support/assert/until.ts";

/** How soon agents are linked to every server after a change, on a machine that has time for them. */
const convergenceMs = 5_000;
/** How many requests each server must serve between two changes. */
const served = 10;

/** How late this process was in all: time in which the machine had none for it, and so little for the others. */
class Lateness implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  #last = performance.now();
  #totalMs = 0;

  constructor(everyMs: number = 20) {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#totalMs += Math.max(0, now - this.#last - everyMs);
      this.#last = now;
    }, everyMs);
  }

  get totalMs(): number {
    return this.#totalMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * A fleet of three servers serves every request that can be served, while its members change.
 * @param whole also while each of them is killed, drained and replaced; else while it grows and loses an agent
 */
export async function servesThroughChanges(t: Deno.TestContext, agentCount: number, whole: boolean): Promise<void> {
  await using echo = await echoDestination();
  await using fleet = await Fleet.open(agentCount);
  const [first, second, third] = fleet.servers;
  const [someAgent, anotherAgent] = fleet.agents;
  assert.ok(first && second && third && someAgent && anotherAgent);
  await using load = new SteadyLoad(echo.address);
  using lateness = new Lateness();
  /** What follows a step builds on it. */
  const step = async (name: string, body: () => Promise<void>) => {
    if (!await t.step(name, body)) throw new Error(`"${name}" failed`);
  };

  /** Every agent has one link to each server, soon enough, and each server has every agent. */
  const converged = async (servers: number) => {
    const [start, late] = [performance.now(), lateness.totalMs];
    let seen = "";
    await until(`all ${agentCount} agents have ${servers} links`, async () => {
      const links = await fleet.links();
      const backends = await fleet.backends();
      seen = `links ${links}, backends ${backends}`;
      return links.every((each) => each === servers) && backends.every((each) => each === agentCount);
    }, 60_000).catch((error) => assert.fail(`${error}: ${seen}\n${fleet.logs}`));
    const tookMs = performance.now() - start - (lateness.totalMs - late);
    assert.ok(tookMs < convergenceMs, `agents needed ${Math.round(tookMs)} ms\n${fleet.logs}`);
  };
  /** Requests go through these servers, each of them. */
  const working = async (...servers: ServerSeat[]) => {
    const since = performance.now();
    for (const { name } of servers) {
      await until(`${name} serves requests`, () => load.served(name, since) >= served, 60_000).catch((error) =>
        assert.fail(`${error}\n${load.faults().slice(0, 3).join("\n")}\n${fleet.logs}`)
      );
    }
  };
  const noFaults = () => assert.deepEqual(load.faults(), [], fleet.logs);
  /** Replaces a server in order, as a rollout does. */
  const replace = async (server: ServerSeat, count: number) => {
    const over = load.disturb(`${server.name} drained`, server.name, false);
    await fleet.drain(server);
    await fleet.startServer(server, count);
    await server.process?.ready();
    over();
  };

  await step("one server", async () => {
    await fleet.startServer(first, 1);
    await Promise.all(fleet.agents.map((agent) => fleet.startAgent(agent)));
    await converged(1);
    load.through(first.name, () => fleet.client(first));
    await working(first);
    noFaults();
  });

  await step("scaled to three", async () => {
    await Promise.all([fleet.startServer(second, 3), fleet.startServer(third, 3)]);
    await converged(3);
    for (const server of [second, third]) load.through(server.name, () => fleet.client(server));
    await replace(first, 3);
    await converged(3);
    await working(first, second, third);
    noFaults();
  });

  if (whole) {
    await step("a server is killed and started anew", async () => {
      const over = load.disturb("server 2 killed", second.name, true);
      await fleet.kill(second);
      await working(first, third);
      await fleet.startServer(second, 3);
      await second.process?.ready();
      over();
      await converged(3);
      await working(first, second, third);
      noFaults();
    });
  }

  await step("an agent is killed and started anew", async () => {
    const over = load.disturb("agent 1 killed", undefined, true);
    await fleet.kill(someAgent);
    await until("every server has noticed", async () => (await fleet.backends()).every((each) => each < agentCount));
    over();
    await working(first, second, third);
    await fleet.startAgent(someAgent);
    await converged(3);
    await working(first, second, third);
    noFaults();
  });

  if (whole) {
    await step("an agent is drained and started anew, and nobody notices", async () => {
      await fleet.drain(anotherAgent);
      await working(first, second, third);
      await fleet.startAgent(anotherAgent);
      await converged(3);
      await working(first, second, third);
      noFaults();
    });

    await step("a server is drained and started anew", async () => {
      await replace(third, 3);
      await converged(3);
      await working(first, second, third);
      noFaults();
    });

    await step("scaled to two", async () => {
      load.disturb("server 3 removed", third.name, false);
      await fleet.drain(third);
      await converged(2);
      for (const server of [first, second]) {
        await replace(server, 2);
        await converged(2);
      }
      await working(first, second);
      noFaults();
    });
  }

  await load.stop();
  noFaults();
  await until("every tunnel's end reaches the destination", () => echo.open === 0);
  assert.ok(load.requests.length > (whole ? 200 : 40), `${load.requests.length} requests were made`);
}
