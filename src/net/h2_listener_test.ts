/** What our HTTP/2 does under the packet services beside the contract that `packet_service_test.ts` holds it to. */
import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import { concat, headers } from "../../tests/support/h2_peer.ts";
import { leakTest } from "../../tests/support/leak_free.ts";
import { open, serverSide, tlsWorld, world } from "../../tests/support/packet_service_world.ts";
import { testCertificates } from "../../tests/support/test_certificates.ts";
import { until } from "../../tests/support/until.ts";
import { resetFrame, settingsFrame } from "../h2/control_frames.ts";
import { clientPreface, h2Code } from "../h2/frame.ts";
import type { HeaderField } from "../h2/header_table.ts";
import { listenGrpcOwn } from "./h2_listener.ts";

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
