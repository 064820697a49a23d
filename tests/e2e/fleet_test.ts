import assert from "node:assert/strict";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Fleet, type ServerSeat } from "../support/processes/fleet.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { isExcused, SteadyLoad } from "../support/in_process/steady_load.ts";
import { until } from "../support/assert/until.ts";

const agentCount = 4;
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

Deno.test("what excuses a failed request: its server or an agent was killed meanwhile, or its server was to stop before it dialled", () => {
  const request = (startedAt: number, dialledAt: number, endedAt: number, server = "a") => ({
    server,
    startedAt,
    dialledAt,
    endedAt,
  });
  const serverKilled = [{ name: "", server: "a", killed: true, from: 10, to: 20 }];
  assert.ok(isExcused(request(5, 6, 12), serverKilled), "in flight");
  assert.ok(isExcused(request(15, Infinity, 16), serverKilled), "not there yet");
  assert.ok(!isExcused(request(5, 6, 9), serverKilled), "before");
  assert.ok(!isExcused(request(21, Infinity, 25), serverKilled), "after");
  assert.ok(!isExcused(request(5, 6, 12, "b"), serverKilled), "through another server");
  const agentKilled = [{ name: "", server: undefined, killed: true, from: 10, to: 20 }];
  assert.ok(isExcused(request(5, 6, 12, "b"), agentKilled), "through any server");
  const drained = [{ name: "", server: "a", killed: false, from: 10, to: 20 }];
  assert.ok(!isExcused(request(5, 6, 12), drained), "its tunnel was open");
  assert.ok(isExcused(request(5, 11, 12), drained), "its tunnel was not open yet");
  assert.ok(isExcused(request(15, Infinity, 16), drained), "refused");
});

leakTest(
  "[server 13.8-28] [agent 9-46] a fleet of 3 servers and 4 agents serves every request that can be served, while its members are killed, drained, restarted and scaled",
  async (t) => {
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

    await load.stop();
    noFaults();
    await until("every tunnel's end reaches the destination", () => echo.open === 0);
    assert.ok(load.requests.length > 200, `${load.requests.length} requests were made`);
  },
);
