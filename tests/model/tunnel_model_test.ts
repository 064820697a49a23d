import assert from "node:assert/strict";
import fc from "fast-check";
import { flowLimits } from "../../src/mux/flow_limits.ts";
import type { Feature } from "../../src/wire/metadata.ts";
import { throwFaults } from "../support/assert/faults.ts";
import { maxStepBytes, turns, World } from "./tunnel_world.ts";

const actions = [
  "client sends",
  "client sends",
  "client sends",
  "destination sends",
  "destination sends",
  "destination sends",
  "client sends much",
  "destination sends much",
  "all arrives",
  "deliver to agent",
  "deliver to agent",
  "deliver to server",
  "deliver to server",
  "client sticks",
  "client reads",
  "destination sticks",
  "destination reads",
  "dial",
  "answer",
  "client ends",
  "destination ends",
  "client closes",
  "client gives up",
  "destination breaks",
  "time passes",
  "lose",
] as const;

/** Enough for several windows, and so for their growth. */
const muchSteps = 16;

const script = fc.array(
  fc.tuple(fc.constantFrom(...actions), fc.nat(3), fc.integer({ min: 1, max: maxStepBytes })),
  { minLength: 10, maxLength: 150, size: "max" },
);

async function act(world: World, [action, which, size]: readonly [typeof actions[number], number, number]) {
  const client = world.clients[which % Math.max(1, world.clients.length)];
  const destination = world.destinations[which % Math.max(1, world.destinations.length)];
  switch (action) {
    case "dial":
      return world.dial(size % 2 === 0);
    case "answer":
      return await world.answer();
    case "client sends":
      return client?.send(size);
    case "client sends much":
      for (let i = 0; i < muchSteps; i++) client?.send(size);
      return;
    case "destination sends much":
      for (let i = 0; i < muchSteps; i++) destination?.send(size);
      return;
    case "all arrives":
      world.pair.settle();
      return await turns();
    case "client sticks":
      if (client !== undefined) client.reads = false;
      return;
    case "client reads":
      return client?.takeAll();
    case "client ends":
      if (client?.tunnel?.state !== "open" || client.endedSending || client.gaveUp) return;
      client.endedSending = true;
      client.closedItself ||= !world.features.has("half-close");
      return client.handler?.onEnd();
    case "client closes":
      if (client === undefined || client.gaveUp) return;
      client.endedSending = true;
      client.closedItself = true;
      return client.tunnel?.close();
    case "client gives up":
      if (client === undefined || size % 4 !== 0) return;
      client.gaveUp = true;
      return client.tunnel?.abort("reset", "client", "");
    case "destination sends":
      return destination?.send(size);
    case "destination sticks":
      if (destination !== undefined) destination.socket.stuck = true;
      return;
    case "destination reads":
      if (destination?.socket.stuck === true) destination.socket.takes();
      return destination?.closeIfDone();
    case "destination ends":
      return destination?.end();
    case "destination breaks":
      return size % 4 === 0 ? destination?.break() : undefined;
    case "deliver to agent":
      for (let i = 0; i < size % 8; i++) world.pair.near.deliverOne();
      return await turns();
    case "deliver to server":
      for (let i = 0; i < size % 8; i++) world.pair.far.deliverOne();
      return;
    case "time passes":
      // Quiet tunnels give back at the agent what they do not use.
      return world.clock.advance(size % 5000);
    case "lose":
      return size % 16 === 0 && !world.lost ? world.lose() : undefined;
  }
}

function checkWindows(world: World, growthBytes: number): void {
  if (!world.features.has("window")) return;
  const limit = flowLimits.initialWindowBytes + Math.floor(growthBytes / 2);
  for (const client of world.clients) {
    assert.ok(client.held <= limit, `a client holds ${client.held} bytes, more than a window`);
  }
  for (const destination of world.destinations) {
    destination.measure();
  }
  for (const growth of [world.serverGrowth, world.agentGrowth]) {
    assert.ok(growth.remaining >= 0 && growth.remaining <= growthBytes, "windows have grown by more than the budget");
  }
  assert.ok(world.link.queuedBytes <= 4 * (limit + 2 * maxStepBytes), "the agent holds more than windows and one read");
  assert.ok(
    world.backend.queuedBytes <= 4 * (limit + 2 * maxStepBytes),
    "the server holds more than windows and one read",
  );
}

function checkNothingLeft(world: World, growthBytes: number): void {
  assert.equal(world.backend.tunnelCount, 0, "tunnels left at the server");
  assert.equal(world.backend.pendingDials, 0, "dials left at the server");
  assert.equal(world.backend.queuedBytes, 0, "bytes left at the server");
  assert.equal(world.link.load, 0, "tunnels left at the agent");
  assert.equal(world.link.queuedBytes, 0, "bytes left at the agent");
  assert.equal(world.serverGrowth.remaining, growthBytes, "growth not given back at the server");
  assert.equal(world.agentGrowth.remaining, growthBytes, "growth not given back at the agent");
}

/** What windows may grow by: nothing, less than one has wanted, what is short for several, or all that a process has. */
const growths = fc.constantFrom(
  0,
  flowLimits.initialWindowBytes,
  3 * flowLimits.initialWindowBytes,
  flowLimits.growthBudgetBytes,
);

const featureSets: readonly (readonly Feature[])[] = [
  ["window", "window-return", "half-close"],
  ["window", "half-close"],
  ["window"],
  ["half-close"],
  [],
];

for (const features of featureSets) {
  const name = features.length === 0 ? "none" : features.join(" and ");
  const runs = features.includes("window-return") ? 3000 : 1000;
  Deno.test(`any interleaving over a link with ${name} loses, doubles and reorders nothing, and leaves nothing`, async () => {
    let grown = 0;
    await fc.assert(
      fc.asyncProperty(script, growths, fc.constantFrom(1, 16 * 1024, Infinity), async (steps, growth, buffer) => {
        const world = new World(new Set(features), growth, buffer);
        world.dial(true);
        world.dial(false);
        world.pair.settle();
        await turns();
        await world.answer();
        await world.answer();
        world.pair.settle();
        for (const step of steps) {
          await act(world, step);
          checkWindows(world, growth);
          if (world.serverGrowth.remaining + world.agentGrowth.remaining < 2 * growth) grown++;
        }
        // Everybody who still can ends in order: first what was said arrives, then nothing is left.
        await world.finish();
        const inOrder = !world.lost;
        for (const [at, client] of world.clients.entries()) {
          const destination = world.destinations[at];
          if (!inOrder || client.gaveUp || destination === undefined || destination.broken) continue;
          // A destination that ended in order is heard to its last byte, whatever the client still sends.
          if (destination.ended && !client.closedItself) {
            assert.equal(
              client.meter.bytes,
              destination.sent,
              "the client lacks bytes from before the destination's end",
            );
          }
          if (client.tunnel?.state !== "open" || client.endedSending || destination.ended) continue;
          assert.equal(destination.meter.bytes, client.sent, "the destination lacks bytes of an open tunnel");
          assert.equal(client.meter.bytes, destination.sent, "the client lacks bytes of an open tunnel");
        }
        for (const destination of world.destinations) destination.end();
        for (const client of world.clients) client.tunnel?.close();
        await world.finish();
        world.clock.advance(60_000);
        await world.finish();
        checkNothingLeft(world, growth);
        throwFaults();
        if (!world.lost) world.pair.near.lose();
      }),
      { numRuns: runs },
    );
    assert.equal(grown > 100, features.includes("window"), `windows were seen grown ${grown} times`);
  });
}
