/** What our HTTP/2 does under the packet services beside the contract that `packet_service_test.ts` holds it to. */
import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import { callHeaders, concat, headers } from "../../../tests/support/memory/h2_peer.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { open, serverSide, tlsWorld, world } from "../../../tests/support/in_process/packet_service_world.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { resetFrame, settingsFrame } from "../../h2/frames/control_frames.ts";
import { clientPreface, h2Code } from "../../h2/frames/frame.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { listenGrpcOwn } from "./h2_listener.ts";
import { watchTls } from "../tls/tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";

leakTest("own: a client that cancels ends its stream, one whose connection breaks fails it", async () => {
  await using at = await world(listenGrpcOwn);
  const [first, second] = [await at.connect(), await at.connect()];
  const client = open(first);
  const canceled = await serverSide(at, 0);
  open(second);
  const lost = await serverSide(at, 1);
  client.stream.destroy(new Error("enough"));
  await until("the cancellation arrived", () => canceled.end !== undefined);
  assert.equal(at.sides[1]?.end, undefined);
  second.close();
  await until("the loss arrived", () => lost.end !== undefined);
  assert.equal(lost.end?.kind, "failed");
  first.close();
});

leakTest("own: a stream that the client resets ends as canceled", async () => {
  await using at = await world(listenGrpcOwn);
  const socket = connectSocket(at.socketPath);
  socket.on("error", () => {});
  socket.write(concat(clientPreface, settingsFrame([]), headers(1)));
  const server = await serverSide(at);
  socket.write(resetFrame(1, h2Code.cancel));
  await until("the reset arrived", () => server.end !== undefined);
  assert.equal(server.errorCode, Code.Canceled);
  socket.destroy();
});

leakTest("own: over TLS, a client that offers no HTTP/2 is refused", async () => {
  await using at = await tlsWorld(listenGrpcOwn);
  const { client, ca } = await testCertificates();
  const socket = connectTls({
    host: "127.0.0.1",
    port: at.port,
    cert: client.certPem,
    key: client.keyPem,
    ca: ca.certPem,
  });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
  await until("the refusal was told", () => at.errors.length > 0);
});

leakTest("own: a client that speaks HTTP/1.1 is answered with GOAWAY and closed", async () => {
  await using at = await world(listenGrpcOwn);
  const socket = connectSocket(at.socketPath);
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await new Promise((resolve) => socket.once("close", resolve));
  const said = chunks.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");
  assert.match(said, /this port speaks HTTP\/2 only/);
  assert.equal(at.errors.length, 1);
});

leakTest("own: a router that breaks a request off resets its stream", async () => {
  await using at = await world(listenGrpcOwn, undefined, {
    router: (_request, response) => response.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
  });
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(at.socketPath) });
  const stream = session.request({ ":path": "/x" });
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("close", resolve));
  assert.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  session.destroy();
});

leakTest("own: a client that breaks a request off resets it at the router", async () => {
  let reached = false;
  let aborted = false;
  await using at = await world(listenGrpcOwn, undefined, {
    router: (request) => {
      reached = true;
      request.on("aborted", () => aborted = true);
      request.resume();
    },
  });
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(at.socketPath) });
  const stream = session.request({ ":path": "/x", ":method": "POST" });
  stream.on("error", () => {});
  stream.write("begun");
  await until("it reached the router", () => reached);
  stream.close(constants.NGHTTP2_CANCEL);
  await until("the router knows", () => aborted);
  session.destroy();
});

/** What node:http2 throws at when it is to send them: each is one request that a client makes by hand. */
const unsendable: Readonly<Record<string, readonly HeaderField[]>> = {
  "CONNECT without an authority": [[":method", "CONNECT"]],
  "CONNECT with a path": [[":method", "CONNECT"], [":scheme", "http"], [":path", "/"], [":authority", "a:1"]],
  "a name that is no token": [[":method", "GET"], [":scheme", "http"], [":path", "/x"], ["a(b", "1"]],
  "a type twice": [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/x"],
    ["content-type", "a/b"],
    ["content-type", "c/d"],
  ],
  "te twice": [[":method", "GET"], [":scheme", "http"], [":path", "/x"], ["te", "trailers"], ["te", "trailers"]],
};

for (const [what, fields] of Object.entries(unsendable)) {
  leakTest(`own: ${what} is answered with 400 and throws at nobody`, async () => {
    await using at = await world(listenGrpcOwn);
    const socket = connectSocket(at.socketPath);
    const answers: Uint8Array[] = [];
    socket.on("data", (bytes: Uint8Array) => answers.push(bytes));
    socket.write(concat(clientPreface, settingsFrame([]), headers(1, fields)));
    // A literal with the static table's name for :status, index 12 being ":status 400".
    await until("the answer", () => concat(...answers).includes(0x80 | 12));
    const connection = await at.connect();
    const call = open(connection);
    await serverSide(at);
    call.stream.end();
    await until("the next call is served", () => call.end !== undefined || at.sides[0]?.ended === true);
    connection.close();
    await connection.closed;
    socket.destroy();
    await until("the socket is gone", () => socket.closed);
  });
}

leakTest("own: a stranger's connection is closed once no call has come for a while", async () => {
  const { server } = await testCertificates();
  const dir = await Deno.makeTempDir();
  const [cert, key] = [`${dir}/cert.pem`, `${dir}/key.pem`];
  await Deno.writeTextFile(cert, server.certPem);
  await Deno.writeTextFile(key, server.keyPem);
  const reasons: unknown[] = [];
  {
    await using files = await watchTls({ ca: "", cert, key }, systemClock);
    const clock = new VirtualClock(Date.now());
    await using listener = await listenGrpcOwn({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      clock,
      tls: { files },
      services: [],
      router: () => {},
      routed: new Set(),
      onConnectionError: (error) => reasons.push(Reflect.get(error, "reason")),
    });
    assert.ok(listener.address.kind === "tcp");
    const socket = connectTls({
      host: "127.0.0.1",
      port: listener.address.port,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
    });
    let heard = 0;
    let closed = false;
    socket.on("error", () => {}).on("data", (bytes: Uint8Array) => heard += bytes.length).on(
      "close",
      () => closed = true,
    );
    const turns = async (done: () => boolean) => {
      for (let turn = 0; turn < 20_000 && !done(); turn++) await Deno.stat(dir);
      assert.ok(done(), `${heard} bytes, closed ${closed}`);
    };
    const unknown = callHeaders.map(([name, value]): HeaderField => [name, name === ":path" ? "/no.such/Call" : value]);
    socket.write(concat(clientPreface, settingsFrame([]), headers(1, unknown, true)));
    // More than the server says by itself: the request was answered.
    await turns(() => heard > 100);
    clock.advance(edgeLimits.idleStrangerMs - 5_000);
    const before = heard;
    socket.write(headers(3, unknown, true));
    await turns(() => heard > before);
    clock.advance(10_000);
    assert.ok(!closed, "there was a call meanwhile");
    clock.advance(2 * edgeLimits.idleStrangerMs);
    await turns(() => closed);
    assert.deepEqual(reasons, ["idle"]);
  }
  await Deno.remove(dir, { recursive: true });
});
