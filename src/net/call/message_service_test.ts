/** What both kinds of HTTP/2 keep of calls with one small request, and of calls that nobody serves. */
import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { type Listen, servicePath, type World, world } from "../../../tests/support/in_process/packet_service_world.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { type GrpcListenerOptions, listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import type { MessageCall } from "./message_service.ts";

const path = "/Test/Echo";
const routedPath = "/Test/Routed";

function onBoth(title: string, body: (listen: Listen) => Promise<void>): void {
  for (const [name, listen] of Object.entries({ own: listenGrpcOwn, runtime: listenGrpc })) {
    leakTest(`${name}: ${title}`, () => body(listen));
  }
}

/** A listener whose message service answers with its request, unless `handle` does something else. */
async function served(
  listen: Listen,
  options: Partial<GrpcListenerOptions> & { readonly handle?: (call: MessageCall) => void } = {},
) {
  const echo = (call: MessageCall) => {
    call.send(call.request);
    call.end();
  };
  const { handle = echo, ...rest } = options;
  const at = await world(listen, undefined, {
    messages: [{ path, maxRequestBytes: 100, handle }],
    routed: new Set([routedPath]),
    ...rest,
  });
  return at;
}

function session(at: World): ClientHttp2Session {
  const opened = connect("http://localhost", { createConnection: () => connectSocket(at.socketPath) });
  opened.on("error", () => {});
  return opened;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly rstCode: number;
}

/** Makes a call and returns all of its answer. */
function call(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array | undefined,
  end = true,
): Promise<Answer> {
  const stream = session.request(
    { ":method": "POST", ":path": path, "content-type": "application/grpc", ...headers },
    { endStream: body === undefined },
  );
  stream.on("error", () => {});
  let answer: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const chunks: Uint8Array[] = [];
  stream.on("response", (got) => answer = got);
  stream.on("trailers", (got) => trailers = got);
  stream.on("data", (bytes: Uint8Array) => chunks.push(bytes));
  if (body !== undefined) {
    if (end) stream.end(body);
    else stream.write(body);
  }
  return new Promise((resolve) => {
    stream.once("close", () => {
      const rstCode = stream.rstCode ?? 0;
      resolve({ headers: answer, trailers, body: new Uint8Array(chunks.flatMap((chunk) => [...chunk])), rstCode });
    });
  });
}

const message = (bytes: number) => {
  const framed = new Uint8Array(5 + bytes).fill(7);
  framed.set([0, 0, 0, bytes >> 8, bytes & 255]);
  return framed;
};

onBoth("a request is answered with its message and a status in order", async (listen) => {
  await using at = await served(listen);
  const client = session(at);
  const { headers, trailers, body } = await call(client, {}, message(50));
  assert.equal(headers[":status"], 200);
  assert.equal(headers["content-type"], "application/grpc");
  assert.deepEqual(body, message(50));
  assert.equal(trailers["grpc-status"], "0");
  client.destroy();
});

const refusedBodies: Readonly<Record<string, readonly [string | undefined, Code]>> = {
  "a message that is compressed": ["0100000003010203", Code.Unimplemented],
  "a message that is announced with 4 GiB": ["00ffffffff", Code.ResourceExhausted],
  "a message that is longer than it may be": ["0000000065", Code.ResourceExhausted],
  "a message that is cut off": ["0000000005010203", Code.Internal],
  "a prefix that is cut off": ["0000", Code.Internal],
  "no message": ["", Code.Unimplemented],
  "no body": [undefined, Code.Unimplemented],
};

for (const [what, [body, code]] of Object.entries(refusedBodies)) {
  onBoth(`${what} is refused with ${Code[code]}, before the service sees it`, async (listen) => {
    let calls = 0;
    await using at = await served(listen, { handle: () => void calls++ });
    const client = session(at);
    const bytes = body === undefined ? undefined : Uint8Array.fromHex(body);
    const { headers } = await call(client, {}, bytes);
    assert.equal(headers["grpc-status"], String(code));
    assert.equal(headers["grpc-accept-encoding"], "identity");
    assert.equal(calls, 0);
    client.destroy();
  });
}

onBoth("what is too long is refused at once, while the caller still means to send it", async (listen) => {
  await using at = await served(listen);
  const client = session(at);
  const { headers } = await call(client, {}, Uint8Array.fromHex("00ffffffff0102"), false);
  assert.equal(headers["grpc-status"], String(Code.ResourceExhausted));
  client.destroy();
});

const unserved: Readonly<Record<string, readonly [Record<string, string>, Record<string, string | number>]>> = {
  "an unknown method of gRPC": [{ ":path": "/Test/Nobody" }, { ":status": 200, "grpc-status": "12" }],
  "an unknown service of gRPC": [{ ":path": "/Nobody/Echo" }, { ":status": 200, "grpc-status": "12" }],
  "an unknown path": [{ ":path": "/Nobody/Echo", "content-type": "application/json" }, { ":status": 404 }],
  "a page": [{ ":method": "GET", ":path": "/", "content-type": "text/html" }, { ":status": 404 }],
  "a known path in another method": [{ ":method": "PUT", ":path": routedPath }, { ":status": 405, allow: "POST" }],
  "a known path in another type": [{ ":path": routedPath, "content-type": "text/plain" }, { ":status": 415 }],
  "a host that makes no URL": [{ ":authority": "x:99999" }, { ":status": 400 }],
};

for (const [what, [headers, expected]] of Object.entries(unserved)) {
  onBoth(`${what} is refused without the router`, async (listen) => {
    let routed = 0;
    await using at = await served(listen, { router: () => void routed++ });
    const client = session(at);
    const answer = await call(client, headers, message(3));
    for (const [name, value] of Object.entries(expected)) assert.equal(answer.headers[name], value, name);
    assert.equal(routed, 0);
    client.destroy();
  });
}

onBoth("the router serves Connect's own types on its paths, a query behind them included", async (listen) => {
  await using at = await served(listen, {
    router: (request, response) => {
      request.resume();
      response.writeHead(200, { "x-path": request.url });
      response.end();
    },
  });
  const client = session(at);
  for (
    const type of ["application/json", "application/proto", "application/connect+proto", "application/grpc-web+proto"]
  ) {
    const { headers } = await call(client, { ":path": `${routedPath}?a=b`, "content-type": type }, message(3));
    assert.equal(headers["x-path"], `${routedPath}?a=b`);
  }
  client.destroy();
});

onBoth("calls of one connection are bounded, and those of another are served meanwhile", async (listen) => {
  const open: MessageCall[] = [];
  const refused: string[] = [];
  await using at = await served(listen, {
    handle: (call) => void open.push(call),
    onCallRefused: (reason) => void refused.push(reason),
  });
  const greedy = session(at);
  const { messageCallsOfConnection } = edgeLimits;
  const waiting = Array.from({ length: messageCallsOfConnection }, () => call(greedy, {}, message(1)));
  await until("as many as may be are open", () => open.length === messageCallsOfConnection);
  const { headers } = await call(greedy, {}, message(1));
  assert.equal(headers["grpc-status"], String(Code.ResourceExhausted));
  assert.deepEqual(refused, ["messages"]);
  const other = session(at);
  const served1 = call(other, {}, message(2));
  await until("another connection is served", () => open.length === messageCallsOfConnection + 1);
  for (const each of open) each.end();
  await Promise.all([...waiting, served1]);
  const again = call(greedy, {}, message(1));
  await until("there is room again", () => open.length === messageCallsOfConnection + 2);
  open.at(-1)?.end(new ConnectError("enough", Code.Aborted));
  assert.equal((await again).headers["grpc-status"], String(Code.Aborted));
  greedy.destroy();
  other.destroy();
});

onBoth("requests that are with the router are bounded, for a connection and for the listener", async (listen) => {
  const answers: (() => void)[] = [];
  const refused: string[] = [];
  await using at = await served(listen, {
    router: (request, response) => {
      request.resume();
      answers.push(() => response.end());
    },
    onCallRefused: (reason) => void refused.push(reason),
  });
  const headers = { ":path": routedPath, "content-type": "application/json" };
  const { routedCallsOfConnection, routedCalls } = edgeLimits;
  const sessions: ClientHttp2Session[] = [];
  const calls: Promise<Answer>[] = [];
  while (calls.length < routedCalls) {
    const client = session(at);
    sessions.push(client);
    for (let i = 0; i < routedCallsOfConnection; i++) calls.push(call(client, headers, message(1)));
  }
  await until("all are with the router", () => answers.length === routedCalls);
  const [first] = sessions;
  if (first === undefined) return assert.fail();
  assert.equal((await call(first, headers, message(1))).rstCode, constants.NGHTTP2_REFUSED_STREAM);
  const last = session(at);
  assert.equal((await call(last, headers, message(1))).headers[":status"], 503);
  assert.deepEqual(refused, ["routed_of_connection", "routed_of_listener"]);
  for (const answer of answers.splice(0)) answer();
  await Promise.all(calls);
  const again = call(last, headers, message(1));
  await until("there is room again", () => answers.length === 1);
  answers[0]?.();
  await again;
  for (const each of [...sessions, last]) each.destroy();
});

onBoth("a packet service's calls of one connection are bounded where it says so", async (listen) => {
  let calls = 0;
  const refused: string[] = [];
  await using at = await world(listen, undefined, {
    services: [{
      path: servicePath,
      maxCallsOfConnection: 2,
      handle: (call) => {
        calls++;
        call.accept({}).start({ onData() {}, onPacket() {}, onDrain() {}, onEnd() {}, onClose() {} });
      },
    }],
    onCallRefused: (reason) => void refused.push(reason),
  });
  const [client, other] = [session(at), session(at)];
  for (let i = 0; i < 2; i++) void call(client, { ":path": servicePath }, message(0), false);
  await until("two are open", () => calls === 2);
  const { headers } = await call(client, { ":path": servicePath }, message(0), false);
  assert.equal(headers["grpc-status"], String(Code.ResourceExhausted));
  void call(other, { ":path": servicePath }, message(0), false);
  await until("another connection's is served", () => calls === 3);
  assert.deepEqual(refused, ["links"]);
  client.destroy();
  other.destroy();
});

onBoth(
  "a call's end is told, when the caller goes away too, and a service that throws loses its call",
  async (listen) => {
    using faults = expectFaults();
    let gone = 0;
    const open: MessageCall[] = [];
    let left = 1;
    await using at = await served(listen, {
      handle: (each) => {
        if (left-- > 0) throw new Error("broken service");
        open.push(each);
        each.onGone(() => void gone++);
        each.send(new Uint8Array(1));
      },
    });
    const client = session(at);
    assert.notEqual((await call(client, {}, message(1))).rstCode, constants.NGHTTP2_NO_ERROR);
    assert.deepEqual(faults.seen.map(({ error }) => error.message), ["broken service"]);
    void call(client, {}, message(1));
    await until("the next is served", () => open.length === 1);
    client.destroy();
    await until("its end is told", () => gone === 1);
    open[0]?.send(new Uint8Array(1));
    open[0]?.end();
  },
);
