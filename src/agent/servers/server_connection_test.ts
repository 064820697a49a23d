import assert from "node:assert/strict";
import { turns } from "../../../tests/support/fakes/virtual_clock.ts";
import { LinkWorld } from "../../../tests/support/memory/link_world.ts";
import { routeInState } from "../../../tests/support/memory/route_in_state.ts";
import type { Feature } from "../../wire/metadata.ts";
import { closeRequest } from "../../wire/packet.ts";
import { ServerConnection } from "./server_connection.ts";

/** A connection around a real link, whose peer a test plays. */
class World extends LinkWorld {
  /** What each probe said of the server: whether it is an original one. */
  readonly probes: boolean[] = [];
  closes = 0;
  answers = true;
  /** This side has ended the link. */
  ending = false;
  readonly connection: ServerConnection;

  constructor(...features: Feature[]) {
    super(features);
    this.server.onEnd = () => {
      this.ending = true;
    };
    const connection = {
      serverNames: "",
      direct: false,
      leaving: new Promise<void>(() => {}),
      open: () => assert.fail("it is open"),
      probe: (original: boolean) => {
        this.probes.push(original);
        return this.answers ? Promise.resolve() : new Promise<void>(() => {});
      },
      close: () => {
        this.closes++;
      },
    };
    const opened = { stream: this.near, connection, serverId: "s", serverCount: 1, features: new Set(features) };
    this.connection = new ServerConnection("s", routeInState(), this.link, opened, {
      keepalive: { timeMs: 60_000, timeoutMs: 10_000 },
      quietMs: 1_000,
      renewAt: Infinity,
      clock: this.clock,
    });
  }

  /** What the link has failed with; empty where it has not. */
  failure(): string {
    return this.ended?.kind === "failed" ? this.ended.error.message : "";
  }

  async run(ms: number): Promise<void> {
    await this.clock.run(ms);
    await this.settle();
  }
}

Deno.test("a probe says whether the server is an original one, which counts pings", async () => {
  for (const features of [[], ["half-close"]] as const) {
    const world = new World(...features);
    world.connection.probeNow();
    await turns();
    assert.deepEqual(world.probes, [features.length === 0]);
    world.connection.closed();
  }
});

Deno.test("a server that answers no probe loses the link, with the time in the error, and the connection", async () => {
  const world = new World();
  world.answers = false;
  world.connection.probeNow();
  await world.run(9_999);
  assert.equal(world.failure(), "");
  await world.run(1);
  assert.match(world.failure(), /server has not answered for 10 s$/);
  assert.equal(world.closes, 1);
});

Deno.test("a fault of the connection ends the link with it", async () => {
  const world = new World();
  world.connection.faulted(new Error("broken"));
  await world.settle();
  assert.equal(world.failure(), "broken");
  assert.equal(world.closes, 1);
});

Deno.test("a link that becomes idle stays, and once it is retired it closes after a quiet time", async () => {
  const world = new World();
  world.connection.idle();
  await world.run(60_000);
  assert.equal(world.ending, false);
  world.connection.retire();
  await world.run(999);
  assert.equal(world.ending, false);
  // A dial has come and gone: the quiet time begins anew.
  world.connection.idle();
  await world.run(999);
  assert.equal(world.ending, false);
  await world.run(1);
  assert.equal(world.ending, true);
});

Deno.test("a retired link with a tunnel stays until that has ended", async () => {
  const world = new World();
  const { id, socket } = await world.tunnel();
  world.connection.retire();
  await world.run(60_000);
  assert.equal(world.ending, false);
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  socket.closes();
  world.connection.idle();
  await world.run(1_000);
  assert.equal(world.ending, true);
});

Deno.test("a link that is closed sets no deadline any more", () => {
  const world = new World();
  world.connection.closed();
  assert.equal(world.closes, 1);
  const before = world.clock.pending;
  world.connection.retire();
  assert.equal(world.clock.pending, before);
});

Deno.test("a duplicate closes once a server of this project has answered a probe, and after the quiet time of an original one", async () => {
  const own = new World("half-close");
  own.connection.retireDuplicate();
  await own.run(1);
  assert.deepEqual(own.probes, [false]);
  assert.equal(own.ending, true);
  const original = new World();
  original.connection.retireDuplicate();
  await original.run(1);
  assert.deepEqual(original.probes, []);
  assert.equal(original.ending, false);
  await original.run(1_000);
  assert.equal(original.ending, true);
});
