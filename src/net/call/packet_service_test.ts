/** What both HTTP/2 implementations under the packet services keep. What only ours does is in `h2_listener_test.ts`. */
import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import {
  type Listen,
  open,
  serverSide,
  servicePath,
  Side,
  world,
} from "../../../tests/support/in_process/packet_service_world.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { closeResponse, dialRequest } from "../../wire/packet.ts";
import { PacketCounts } from "../../wire/packet_counts.ts";
import { listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";

const implementations = { runtime: listenGrpc, own: listenGrpcOwn } as const;

function onBoth(title: string, body: (listen: Listen) => Promise<void>): void {
  for (const [name, listen] of Object.entries(implementations)) leakTest(`${name}: ${title}`, () => body(listen));
}

const dial = dialRequest({ protocol: "tcp", address: "localhost:1" }, 2n ** 63n - 1n);

onBoth("packets go both ways, in order, and both sides end in order", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const client = open(connection);
  const server = await serverSide(at);
  client.stream.sendPacket(dial);
  await until("the dial arrived", () => server.packets.length === 1);
  assert.equal(server.packets[0]?.payload.case, "dialRequest");
  server.onBytes = (id, payload) => server.stream.sendData(id, payload.slice());
  let sum = 0;
  for (let i = 0; i < 200; i++) {
    const payload = Uint8Array.from({ length: 1 + i * 331 }, (_byte, j) => i + j * 7);
    for (const byte of payload) sum = (sum * 31 + byte) | 0;
    client.stream.sendData(7, payload);
  }
  const total = 200 + 331 * 199 * 100;
  await until("all came back", () => client.bytes === total);
  assert.equal(client.sum, sum);
  server.stream.sendPacket(closeResponse(7));
  server.stream.end();
  await until("the client saw the end", () => client.ended);
  client.stream.end();
  await until("both are closed", () => client.end !== undefined && server.end !== undefined);
  assert.deepEqual([client.end?.kind, server.end?.kind], ["ended", "ended"]);
  connection.close();
});

onBoth("metadata goes both ways, the response's before any packet", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const call = connection.open(servicePath, { agentid: "a-1", agentidentifiers: "ipv4=1.2.3.4&host=x" });
  const metadata = await call.metadata;
  assert.deepEqual(metadata("greeting"), ["hello"]);
  assert.deepEqual(at.calls[0]?.metadata("agentid"), ["a-1"]);
  assert.deepEqual(at.calls[0]?.metadata("agentidentifiers"), ["ipv4=1.2.3.4&host=x"]);
  assert.deepEqual(at.calls[0]?.metadata("nothing"), []);
  connection.close();
});

onBoth("a call that is refused ends with its status", async (listen) => {
  await using at = await world(listen, (call) => call.refuse(new ConnectError("no, wegen ä", Code.Unauthenticated)));
  const connection = await at.connect();
  const client = open(connection);
  await until("the refusal arrived", () => client.end !== undefined);
  assert.equal(client.errorCode, Code.Unauthenticated);
  assert.match(client.end?.kind === "failed" ? client.end.error.message : "", /no, wegen ä/);
  connection.close();
});

onBoth("a stream that the server ends with an error tells it, behind what was sent", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const client = open(connection);
  const server = await serverSide(at);
  server.stream.sendData(1, new Uint8Array(100_000));
  server.stream.end(new ConnectError("too much", Code.ResourceExhausted));
  await until("the end arrived", () => client.ended);
  client.stream.end();
  await until("the error arrived", () => client.end !== undefined);
  assert.equal(client.bytes, 100_000);
  assert.equal(client.errorCode, Code.ResourceExhausted);
  connection.close();
});

onBoth("a caller that goes away before its answer aborts the call", async (listen) => {
  await using at = await world(listen, () => {});
  const connection = await at.connect();
  open(connection);
  await until("the call arrived", () => at.calls.length === 1);
  const signal = at.calls[0]?.signal;
  assert.equal(signal?.aborted, false);
  connection.close();
  await until("it is aborted", () => signal?.aborted === true);
});

onBoth("a call may be answered late: what came before is not lost", async (listen) => {
  await using at = await world(listen, () => {});
  const connection = await at.connect();
  const client = open(connection);
  client.stream.sendPacket(dial);
  client.stream.sendData(1, new Uint8Array(300_000));
  client.stream.end();
  const call = await until("the call arrived", () => at.calls[0]) ?? assert.fail();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const server = new Side(call.accept({}));
  server.stream.start(server);
  await until("everything arrived", () => server.bytes === 300_000 && server.packets.length === 1 && server.ended);
  server.stream.end();
  await until("the end arrived", () => client.end?.kind === "ended");
  connection.close();
});

const brokenBytes: Record<string, [bytes: string, code: Code]> = {
  "a message that is no packet": ["0000000001ff", Code.Internal],
  "a compressed message": ["010000000108", Code.Unimplemented],
  "a message beyond the limit": ["0000400001", Code.ResourceExhausted],
};
for (const [title, [bytes, code]] of Object.entries(brokenBytes)) {
  onBoth(`${title} ends its stream with ${Code[code]}, and no other`, async (listen) => {
    await using at = await world(listen);
    const connection = await at.connect();
    const neighbour = open(connection);
    const raw = connectHttp2("http://localhost", { createConnection: () => connectSocket(at.socketPath) });
    const stream = raw.request({
      ":method": "POST",
      ":path": servicePath,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    let trailers: IncomingHttpHeaders | undefined;
    stream.on("trailers", (headers) => trailers = headers);
    stream.resume();
    stream.write(Uint8Array.fromHex(bytes));
    await until("the status arrived", () => trailers !== undefined);
    assert.equal(Number(trailers?.["grpc-status"]), code);
    const side = await until("the neighbour is there", () => at.sides.find((one) => one.end === undefined)) ??
      assert.fail();
    neighbour.stream.sendPacket(dial);
    await until("the neighbour is served", () => side.packets.length === 1);
    raw.destroy();
    connection.close();
  });
}

onBoth("a server that stops reading is sent a bounded amount, and all of it once it reads", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const client = open(connection);
  const server = await serverSide(at);
  server.stream.pause();
  const chunk = new Uint8Array(64 * 1024).fill(1);
  let sent = 0;
  for (let quiet = 0; quiet < 10;) {
    const before = client.drains;
    while (client.stream.sendData(1, chunk)) sent += chunk.length;
    sent += chunk.length;
    assert.ok(sent < 20 * 1024 * 1024, `${sent} bytes were taken`);
    const drained = await Promise.race([
      until("drained", () => client.drains > before),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 300)),
    ]);
    if (!drained) quiet = 10;
  }
  server.stream.resume();
  await until("all of it arrived", () => server.bytes === sent);
  connection.close();
});

onBoth(
  "a client that stops reading holds its own stream back, and not its neighbour on the connection",
  async (listen) => {
    await using at = await world(listen);
    const connection = await at.connect();
    const slow = open(connection);
    const slowServer = await serverSide(at, 0);
    const quick = open(connection);
    const quickServer = await serverSide(at, 1);
    slow.stream.pause();
    const chunk = new Uint8Array(64 * 1024);
    let sent = 0;
    for (let more = true; more;) {
      more = slowServer.stream.sendData(1, chunk);
      sent += chunk.length;
      assert.ok(sent < 20 * 1024 * 1024);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    quickServer.stream.sendData(2, new Uint8Array(500_000));
    await until("the neighbour is served", () => quick.bytes === 500_000);
    slow.stream.resume();
    await until("all of it arrived", () => slow.bytes === sent);
    await until("the server was told", () => slowServer.drains > 0);
    connection.close();
  },
);

onBoth("two hundred streams on one connection do not meet each other", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const clients = Array.from({ length: 200 }, () => open(connection));
  await until("all calls arrived", () => at.sides.length === 200);
  at.sides.forEach((side) => side.onBytes = (id, payload) => side.stream.sendData(id, payload.slice()));
  clients.forEach((client, i) => client.stream.sendData(i + 1, new Uint8Array(5000 + i).fill(i)));
  await until("all answers arrived", () => clients.every((client, i) => client.bytes === 5000 + i));
  connection.close();
});

onBoth("requests that are no packet call reach the router, bodies and trailers and all", async (listen) => {
  await using at = await world(listen);
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(at.socketPath) });
  session.on("error", () => {});
  const fetch = async (headers: OutgoingHttpHeaders, body?: Uint8Array) => {
    const stream = session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    let response: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let bytes = 0;
    stream.on("response", (headers) => response = headers);
    stream.on("trailers", (headers) => trailers = headers);
    stream.on("data", (chunk: Uint8Array) => bytes += chunk.length);
    await new Promise((resolve, reject) => stream.on("close", resolve).on("error", reject));
    return { response, trailers, bytes };
  };
  const missing = await fetch({ ":path": "/nowhere" });
  assert.equal(missing.response[":status"], 404);
  assert.equal(missing.response["x-method"], "GET");
  const echo = await fetch({ ":path": "/echo", ":method": "POST" }, new Uint8Array(3_000_000));
  assert.equal(echo.bytes, 3_000_000);
  assert.equal(echo.trailers["x-trailer"], "behind");
  const bare = await fetch({ ":path": "/trailers-only", ":method": "POST" }, new Uint8Array(5));
  assert.equal(bare.response["grpc-status"], "12");
  // The packet service's path under another content type is the router's.
  const json = await fetch(
    { ":path": servicePath, ":method": "POST", "content-type": "application/connect+json" },
    new Uint8Array(5),
  );
  assert.equal(json.response[":status"], 404);
  assert.equal(at.calls.length, 0);
  session.destroy();
});

onBoth("a listener that drains takes no new connections and lets open streams run on", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const client = open(connection);
  const server = await serverSide(at);
  at.listener.drain();
  await until("new connections are refused", async () => {
    try {
      (await at.connect()).close();
      return false;
    } catch {
      return true;
    }
  });
  server.stream.sendData(1, new Uint8Array(100_000));
  await until("the stream is served", () => client.bytes === 100_000);
  assert.equal(client.end, undefined);
  server.stream.end();
  client.stream.end();
  await until("the connection ends with its last stream", () => !connection.usable);
  await connection.closed;
});

onBoth("closing the listener ends every stream", async (listen) => {
  await using at = await world(listen);
  const connection = await at.connect();
  const client = open(connection);
  const server = await serverSide(at);
  await at.listener.close();
  await until("both sides know", () => client.end?.kind === "failed" && server.end !== undefined);
});

onBoth("counts packets and payload bytes of both directions", async (listen) => {
  const counts = { received: new PacketCounts(), sent: new PacketCounts() };
  const sides: Side[] = [];
  await using at = await world(listen, undefined, {
    services: [{
      path: servicePath,
      counts,
      handle: (call) => {
        const side = new Side(call.accept({}));
        sides.push(side);
        side.stream.start(side);
      },
    }],
  });
  const connection = await at.connect();
  const client = open(connection);
  client.stream.sendPacket(dial);
  client.stream.sendData(1, new Uint8Array(100_000));
  await until("it arrived", () => sides[0]?.bytes === 100_000);
  sides[0]?.stream.sendData(1, new Uint8Array(7));
  sides[0]?.stream.sendPacket(closeResponse(1));
  assert.deepEqual([...counts.received.entries()].map(({ count }) => count), [1, 1]);
  assert.equal(counts.received.dataBytes, 100_000);
  assert.deepEqual([...counts.sent.entries()].map(({ count }) => count), [1, 1]);
  assert.equal(counts.sent.dataBytes, 7);
  connection.close();
});
