/** What a handler of a stream throws ends its stream; its neighbours on the same connection and listener go on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { DirectStream } from "../../src/net/direct/direct_stream.ts";
import { listenGrpc } from "../../src/net/http2/grpc_listener.ts";
import { listenGrpcOwn } from "../../src/net/http2/h2_listener.ts";
import { SocketStream } from "../../src/net/tcp/socket_stream.ts";
import type { ByteStreamHandler } from "../../src/streams/byte_stream.ts";
import { MessageStream } from "../../src/server/frontends/message_stream.ts";
import type { PacketStream, PacketStreamHandler } from "../../src/streams/packet_stream.ts";
import { closeResponse, dataPacket, type Packet } from "../../src/wire/packet.ts";
import { expectFaults } from "../support/assert/faults.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { open, serverSide, Side, world } from "../support/in_process/packet_service_world.ts";
import { until } from "../support/assert/until.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

type Event = "onData" | "onPacket" | "onDrain" | "onEnd" | "onClose";

/** A handler that throws at one event, and says what it was told nevertheless. */
function thrower(event: string): PacketStreamHandler & { readonly told: string[] } {
  const told: string[] = [];
  const at = (name: string) => {
    told.push(name);
    if (name === event) throw new Error(`broken ${event}`);
  };
  return {
    told,
    onData: () => at("onData"),
    onPacket: () => at("onPacket"),
    onDrain: () => at("onDrain"),
    onEnd: () => at("onEnd"),
    onClose: () => at("onClose"),
  };
}

/** What a peer does so that its server's handler has an event. */
const causes: Readonly<Record<Event, (client: PacketStream, server: PacketStream) => void>> = {
  onData: (client) => client.sendData(1, new Uint8Array(10)),
  onPacket: (client) => client.sendPacket(closeResponse(1)),
  onDrain: (_client, server) => {
    while (server.sendData(1, new Uint8Array(64 * 1024)));
  },
  onEnd: (client) => client.end(),
  onClose: (client) => client.destroy(new Error("enough")),
};

for (const [name, listen] of Object.entries({ own: listenGrpcOwn, runtime: listenGrpc })) {
  for (const [event, cause] of Object.entries(causes)) {
    leakTest(
      `${name}: a packet handler that throws in ${event} loses its stream, and no neighbour is touched`,
      async () => {
        using faults = expectFaults();
        const broken = thrower(event);
        let first: PacketStream | undefined;
        const sides: Side[] = [];
        await using at = await world(listen, (call) => {
          const stream = call.accept({});
          if (first === undefined) {
            first = stream;
            return stream.start(broken);
          }
          const side = new Side(stream);
          side.onBytes = (id, payload) => stream.sendData(id, payload.slice());
          sides.push(side);
          stream.start(side);
        });
        const connection = await at.connect();
        const client = open(connection);
        await until("the broken one is there", () => first !== undefined);
        const neighbour = open(connection);
        await until("the neighbour is there", () => sides.length === 1);
        neighbour.stream.sendData(7, new Uint8Array(100));
        await until("the neighbour is served", () => neighbour.bytes === 100);
        if (first !== undefined) cause(client.stream, first);
        await until("it threw", () => faults.seen.length > 0);
        assert.equal(faults.seen[0]?.error.message, `broken ${event}`);
        assert.match(faults.seen[0]?.error.stack ?? "", /streams_test/);
        assert.equal(faults.seen[0]?.place, "stream");
        if (event !== "onClose") await until("its client was told", () => client.end !== undefined);
        assert.ok(event === "onClose" || client.end?.kind === "failed");
        await until("it was told of its end", () => broken.told.includes("onClose"));
        neighbour.stream.sendData(7, new Uint8Array(100));
        await until("the neighbour is still served", () => neighbour.bytes === 200);
        const other = await at.connect();
        const late = open(other);
        late.stream.sendData(7, new Uint8Array(5));
        await until("a new connection is served", () => late.bytes === 5);
        for (const each of [connection, other]) {
          each.close();
          await each.closed;
        }
      },
    );
  }

  leakTest(
    `${name}: a service that throws loses the call, a router that throws its request, and nobody else`,
    async () => {
      using faults = expectFaults();
      let calls = 0;
      const sides: Side[] = [];
      await using at = await world(listen, (call) => {
        if (++calls === 1) throw new Error("broken service");
        const side = new Side(call.accept({}));
        sides.push(side);
        side.stream.start(side);
      }, {
        router: () => {
          throw new Error("broken router");
        },
      });
      const connection = await at.connect();
      const lost = open(connection);
      await until("the call is lost", () => lost.end?.kind === "failed");
      const routed = connection.open("/nowhere", {});
      await assert.rejects(routed.metadata);
      const neighbour = open(connection);
      neighbour.stream.sendData(1, new Uint8Array(10));
      await until("the next call is served", () => sides[0]?.bytes === 10);
      assert.deepEqual(faults.seen.map(({ error }) => error.message), ["broken service", "broken router"]);
      connection.close();
      await connection.closed;
    },
  );
}

leakTest("own: a report of a broken connection that throws ends nothing", async () => {
  using faults = expectFaults();
  await using at = await world(listenGrpcOwn, undefined, {
    clock: systemClock,
    onConnectionError: () => {
      throw new Error("broken report");
    },
  });
  const stranger = connect(at.socketPath);
  stranger.on("error", () => {});
  stranger.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "x".repeat(1000));
  await until("the report threw", () => faults.seen.length > 0);
  const connection = await at.connect();
  const call = open(connection);
  await serverSide(at);
  call.stream.end();
  await until("others are served", () => at.sides[0]?.ended === true);
  connection.close();
  await connection.closed;
  stranger.destroy();
  await until("the stranger is gone", () => stranger.closed);
});

/** Two sockets that are connected with each other. */
async function sockets() {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  near.on("error", () => {});
  const [far] = await accepted;
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      await until("both are gone", () => near.closed && far.closed);
      server.close();
      await once(server, "close");
    },
  };
}

for (const event of Object.keys(causes)) {
  leakTest(`a handler of a direct link that throws in ${event} loses its link alone`, async () => {
    using faults = expectFaults();
    await using pair = await sockets();
    const [client, server] = [
      new DirectStream(pair.near, undefined, systemClock),
      new DirectStream(pair.far, undefined, systemClock),
    ];
    client.sendHello({});
    server.sendHello({});
    await Promise.all([client.hello, server.hello]);
    const side = new Side(client);
    client.start(side);
    const broken = thrower(event);
    server.start(broken);
    causes[event as Event](client, server);
    await until("it threw", () => faults.seen.some(({ error }) => error.message === `broken ${event}`));
    await until("both were told of the end", () => broken.told.includes("onClose") && side.end !== undefined);
    assert.equal(faults.seen[0]?.place, "link");
  });

  leakTest(`a handler of bytes that throws in ${event} loses its socket alone`, async () => {
    if (event === "onPacket") return;
    using faults = expectFaults();
    await using pair = await sockets();
    const stream = new SocketStream(pair.far);
    const broken = thrower(event);
    const handler: ByteStreamHandler = {
      onData: () => broken.onData(1, new Uint8Array()),
      onDrain: () => broken.onDrain(),
      onEnd: () => broken.onEnd(),
      onClose: () => broken.onClose({ kind: "ended" }),
    };
    stream.start(handler);
    pair.near.resume();
    if (event === "onData") pair.near.write("hello");
    if (event === "onDrain") { while (stream.write(new Uint8Array(64 * 1024))); }
    if (event === "onEnd") pair.near.end();
    if (event === "onClose") pair.near.resetAndDestroy();
    await until("it threw", () => faults.seen.some(({ error }) => error.message === `broken ${event}`));
    await until("it was told of its end", () => broken.told.includes("onClose"));
    assert.equal(pair.far.destroyed, true);
  });
}

for (const event of ["onData", "onPacket", "onEnd", "onClose"] as const) {
  Deno.test(`a handler of typed messages that throws in ${event} loses its stream, and its peer's failure is not blamed`, async () => {
    using faults = expectFaults();
    async function* incoming(): AsyncIterable<Packet> {
      if (event === "onData") yield dataPacket(1, new Uint8Array(1));
      if (event === "onPacket") yield closeResponse(1);
      await Promise.resolve();
    }
    const stream = new MessageStream(incoming());
    const broken = thrower(event);
    stream.start(broken);
    if (event === "onClose") stream.destroy(new Error("enough"));
    await until("it threw", () => faults.seen.length > 0);
    await until("it was told of its end", () => broken.told.includes("onClose"));
    assert.equal(faults.seen[0]?.place, "stream");
  });
}
