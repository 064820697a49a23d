import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { type Destination, echoDestination } from "../support/in_process/destinations.ts";
import {
  idleSeconds,
  pairs,
  SteadyDials,
  transfer,
  type Tunnels,
  type Way,
  World,
} from "../support/processes/balancer_world.ts";
import { balancerKinds, whyNoBalancers } from "../support/processes/balancers.ts";

/**
 * Links of both kinds live behind nginx and HAProxy as docs/balancers.md configures them.
 * @param whole also beside silence, reloads and kills; else they find both servers, and bytes pass
 */
export async function livesBehindBalancers(t: Deno.TestContext, whole: boolean): Promise<void> {
  await using echo: Destination = await echoDestination("0.0.0.0");
  await using world = await World.open();
  const at = ({ host }: Way) => `${host}:${echo.port}`;
  /** What follows a step builds on it. */
  const step = async (title: string, body: () => Promise<void>) => {
    if (!await t.step(title, body)) throw new Error(`"${title}" failed\n${world.logs}`);
  };
  /** A tunnel over each way to each server, over which something was said. */
  const openAll = async (): Promise<Tunnels> => {
    await using opened = new AsyncDisposableStack();
    const all = await Promise.all([...pairs(world)].map(async ({ title, way, client }) => {
      const conversation = new Conversation(opened.use(await client.dial(at(way))));
      assert.equal(await conversation.ask("hello"), "hello", title);
      return { title, conversation };
    }));
    const disposal = opened.move();
    return {
      ask: async (text) => {
        await Promise.all(all.map(async ({ title, conversation }) => {
          assert.equal(await conversation.ask(text), text, title);
        }));
      },
      ends: async () => {
        let ended = 0;
        for (const { conversation } of all) void conversation.end().then(() => ended++);
        await until("every tunnel has ended", () => ended === all.length, 60_000);
      },
      [Symbol.asyncDispose]: () => disposal.disposeAsync(),
    };
  };

  await step("agents find both servers behind one address, and take the kind of link that passes", async () => {
    await world.linked(2);
    for (const { title, kind, agent } of world.ways) {
      for (const { id } of world.seats) {
        assert.match(agent.program.log, new RegExp(`connected to server ${id} at .* link="${kind}"`), title);
      }
    }
  });

  await step("3 MB pass each way", async () => {
    const [client] = world.clients;
    assert.ok(client !== undefined);
    for (const way of world.ways) {
      await transfer(client, at(way)).catch((error) => assert.fail(`${way.title}: ${error}`));
    }
  });

  if (whole) {
    await step("tunnels outlive a silence that is longer than the balancers' time-outs", async () => {
      await using tunnels = await openAll();
      await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_500));
      await tunnels.ask("still here");
      for (const { title, agent } of world.ways) assert.doesNotMatch(agent.program.log, /lost server/, title);
    });

    await step(
      "a reload costs no dial, and with their last tunnel links have left the balancer's old processes",
      async () => {
        await using dialling = new AsyncDisposableStack();
        const dials = [...pairs(world)].map(({ title, way, client }) =>
          dialling.use(new SteadyDials(title, client, at(way)))
        );
        const old = await Promise.all(world.balancers.map((balancer) => balancer.workers()));
        /** Balancers whose connections are, or are not yet, those of other processes alone. */
        const withOld = async () => {
          const now = await Promise.all(world.balancers.map((balancer) => balancer.workers()));
          return world.balancers.filter((_, at) => old[at]?.some((pid) => now[at]?.includes(pid))).map(({ kind }) =>
            kind
          );
        };
        {
          await using tunnels = await openAll();
          for (const balancer of world.balancers) balancer.reload();
          // By then the reload is over.
          await until("every way serves dials", () => dials.every(({ served }) => served >= 10));
          await tunnels.ask("go on");
          assert.deepEqual(await withOld(), [...balancerKinds], "tunnels keep the old processes");
        }
        let left: string[] = [];
        await until("the old processes end by themselves", async () => (left = await withOld()).length === 0, 60_000)
          .catch((error) => assert.fail(`${error}: ${left.join()}`));
        await dialling.disposeAsync();
        assert.deepEqual(dials.flatMap(({ failures }) => failures), []);
        await world.linked(2);
      },
    );

    await step("balancers are killed and come back, and agents link anew", async () => {
      await using tunnels = await openAll();
      await Promise.all(world.balancers.map((balancer) => balancer.kill()));
      await tunnels.ends();
      await world.linked(0);
      await Promise.all(world.balancers.map((balancer) => balancer.restart()));
      await world.linked(2);
      await using _others = await openAll();
    });

    await step("one of two servers is dead, and comes back", async () => {
      const [, second] = world.seats;
      assert.ok(second !== undefined);
      await second.kill();
      await world.linked(1);
      {
        await using _tunnels = await openAll();
      }
      await second.start();
      await world.linked(2);
      await using _tunnels = await openAll();
    });
  }
  await until("every tunnel's end reaches the destination", () => echo.open === 0);
}

/** Registers a test that needs the balancers, which fails in CI where they are missing. */
export async function balancersTest(title: string, body: (t: Deno.TestContext) => Promise<void>): Promise<void> {
  const why = await whyNoBalancers();
  if (why === undefined) leakTest(title, body);
  else if (Deno.env.get("CI") === "true") Deno.test(title, () => Promise.reject(new Error(why)));
  else Deno.test.ignore(`${title} (skipped: ${why})`, () => {});
}
