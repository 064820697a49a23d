import { ConnectError } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { turns, VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { packetPair } from "../../../tests/support/memory/packet_pair.ts";
import { type AgentIdentity, type LinkConnection, openLink } from "./open_link.ts";

const identity: AgentIdentity = { agentId: "a", identifiers: "" };
const target = { host: "lb", port: 8091, serverName: "lb" };
const metadata = (key: string) => key === "serverid" ? ["s"] : key === "servercount" ? ["1"] : [];

class World {
  readonly clock = new VirtualClock();
  readonly probes: boolean[] = [];
  readonly controller = new AbortController();
  readonly connection: LinkConnection;
  readonly answer = Promise.withResolvers<typeof metadata>();
  connects = 0;
  sent: Readonly<Record<string, string>> = {};

  constructor(direct: boolean) {
    this.connection = {
      serverNames: "",
      direct,
      leaving: new Promise(() => {}),
      open: (sent) => {
        this.sent = sent;
        return { stream: packetPair().near, metadata: this.answer.promise };
      },
      probe: (original) => {
        this.probes.push(original);
        return Promise.resolve();
      },
      close: () => {},
    };
  }

  open(of: AgentIdentity = identity): ReturnType<typeof openLink> {
    const transport = () => {
      this.connects++;
      return Promise.resolve(this.connection);
    };
    return openLink(transport, target, of, this.clock, this.controller.signal);
  }

  features(): string | undefined {
    return this.sent["konnectivity-features"];
  }
}

Deno.test("an agent offers trace contexts only where it traces, and pings only where the connection has none", async () => {
  for (const [direct, traces] of [[false, false], [false, true], [true, false], [true, true]] as const) {
    const world = new World(direct);
    world.answer.resolve(metadata);
    await world.open({ ...identity, traces });
    const features = world.features()?.split(",") ?? [];
    assert.ok(features.includes("half-close"));
    assert.equal(features.some((feature) => feature.startsWith("trace-context")), traces);
    assert.equal(features.some((feature) => feature.startsWith("ping")), !direct);
  }
});

Deno.test("headers that are late are asked for with one ping, which nobody counts; on a direct connection with none", async () => {
  for (const direct of [false, true]) {
    const world = new World(direct);
    const opened = world.open();
    await world.clock.run(999);
    assert.deepEqual(world.probes, []);
    await world.clock.run(5_000);
    assert.deepEqual(world.probes, direct ? [] : [false]);
    world.answer.resolve(metadata);
    await opened;
  }
});

Deno.test("a token that is empty, or no header could hold, is refused before there is a connection", async () => {
  const world = new World(false);
  const refusal = async (token: string) => {
    const opened = world.open({ ...identity, readToken: () => Promise.resolve(token) });
    const error = await opened.then(() => assert.fail("it was sent"), (reason) => reason);
    assert.ok(error instanceof ConnectError, String(error));
    return error.rawMessage;
  };
  assert.equal(await refusal(" \n"), "service account token is empty");
  assert.equal(await refusal("a\nb"), "service account token holds characters that no token has");
  assert.equal(world.connects, 0);
});

Deno.test("an attempt that was given up makes no connection, and one that is over leaves nothing behind", async () => {
  const world = new World(false);
  world.answer.resolve(metadata);
  await world.open();
  await turns();
  assert.equal(world.connects, 1);
  assert.equal(world.clock.pending, 0);
  assert.equal(getEventListeners(world.controller.signal, "abort").length, 0);
  world.controller.abort(new Error("given up"));
  await assert.rejects(world.open(), /given up/);
  assert.equal(world.connects, 1);
});
