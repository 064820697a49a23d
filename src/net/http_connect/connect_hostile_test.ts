import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { listenConnect } from "./connect_listener.ts";
import { maxRequestHeaders } from "../edge/request_fault.ts";
import type { EdgeError } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { systemClock } from "../../runtime/system_clock.ts";

/** A listener that lets no tunnel through, and what it was asked. */
async function listener() {
  const asked: string[] = [];
  const failures: Error[] = [];
  const opened = await listenConnect({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    fetch: (request) => {
      asked.push(request.method);
      return request.method === "CONNECT"
        ? new Response("nobody is there\n", { status: 503 })
        : new Response("only CONNECT\n", { status: 405 });
    },
    clock: systemClock,
    onConnectionError: (error) => failures.push(error),
  });
  assert.ok(opened.address.kind === "tcp");
  const { port } = opened.address;
  return {
    asked,
    failures,
    reasons: () => failures.map((error) => (error as Partial<EdgeError>).reason),
    open: (options: { readonly allowHalfOpen?: boolean } = {}) => {
      const socket = connect({ port, host: "127.0.0.1", ...options });
      socket.on("error", () => {});
      return socket;
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
}

/** Everything that a server says to a text, until it ends the connection. */
async function answerTo(socket: Socket, text: string): Promise<string> {
  let answer = "";
  let closed = false;
  socket.setEncoding("latin1");
  socket.on("data", (part: string) => answer += part);
  socket.on("close", () => closed = true);
  socket.write(text, "latin1");
  await until("the connection is over", () => closed);
  return answer;
}

const line = "CONNECT a.example:1 HTTP/1.1\r\n";
const host = "Host: a.example:1\r\n";
const body = "Content-Length: 5\r\n";

/** Requests that others could read as something else, and the status that each is refused with. */
const ambiguous: Readonly<Record<string, readonly [text: string, status: number]>> = {
  "two Host headers": [`${line}${host}Host: b.example:2\r\n\r\n`, 400],
  "two equal Host headers": [`${line}${host}${host}\r\n`, 400],
  "a second Host header behind thousands of others": [`${line}${host}${"a: b\r\n".repeat(3_000)}${host}\r\n`, 431],
  "more headers than anybody needs": [`${line}${host}${"a: b\r\n".repeat(maxRequestHeaders)}\r\n`, 431],
  "a length and an encoding": [`${line}${host}${body}Transfer-Encoding: chunked\r\n\r\n`, 400],
  "a CONNECT with an encoding": [`${line}${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  "a CONNECT with a length": [`${line}${host}${body}\r\nabcde`, 400],
  "two lengths": [`${line}${host}${body}Content-Length: 6\r\n\r\n`, 400],
  "a folded header": [`${line}${host}X: a\r\n b\r\n\r\n`, 400],
  "lines that end in a bare LF": [`CONNECT a.example:1 HTTP/1.1\nHost: a.example:1\n\n`, 400],
  "a head that ends in a bare LF": [`${line}${host}X: a\r\n\n`, 400],
  "a bare CR within a value": [`${line}${host}X: a\rb\r\n\r\n`, 400],
  "a NUL within a value": [`${line}${host}X: a\0b\r\n\r\n`, 400],
  "a blank before a colon": [`${line}Host : a.example:1\r\n\r\n`, 400],
  "a header without a name": [`${line}${host}: a\r\n\r\n`, 400],
  "a line without a colon": [`${line}${host}abc\r\n\r\n`, 400],
  "a request line of HTTP/0.9": ["CONNECT a.example:1\r\n\r\n", 505],
  "a request line of HTTP/2.0": [`CONNECT a.example:1 HTTP/2.0\r\n${host}\r\n`, 505],
  "a POST with a length and an encoding": [
    `POST / HTTP/1.1\r\nHost: a\r\n${body}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  "a GET without a Host": ["GET / HTTP/1.1\r\n\r\n", 400],
  "a GET without a Host, and what is no request behind it": ["GET / HTTP/1.1\r\n\r\nx", 400],
  "a GET with two Hosts": ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  "a head beyond the bound": [`${line}${host}X: ${"y".repeat(edgeLimits.requestHeadBytes)}\r\n\r\n`, 431],
};
for (const [what, [text, status]] of Object.entries(ambiguous)) {
  leakTest(`${what}: answered ${status}, and the connection is over`, async () => {
    await using at = await listener();
    const answer = await answerTo(at.open(), text);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close\r\n`, "i"), answer);
    assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1, "one answer");
    assert.deepEqual(at.asked, [], "nobody is asked for it");
  });
}

const sound: Readonly<Record<string, string>> = {
  "without a Host, as the original takes it": `${line}\r\n`,
  "of HTTP/1.0": "CONNECT a.example:1 HTTP/1.0\r\n\r\n",
  "with another Host": `${line}Host: b.example\r\n\r\n`,
  "with a length of nothing": `${line}${host}Content-Length: 0\r\n\r\n`,
  "with many headers": `${line}${host}${"a: b\r\n".repeat(maxRequestHeaders - 1)}\r\n`,
  "with a large header": `${line}${host}X: ${"y".repeat(60_000)}\r\n\r\n`,
};
for (const [what, text] of Object.entries(sound)) {
  leakTest(`a CONNECT ${what} is served`, async () => {
    await using at = await listener();
    assert.match(await answerTo(at.open(), text), /^HTTP\/1\.1 503 [^]*\r\n\r\nnobody is there\n$/);
    assert.deepEqual(at.asked, ["CONNECT"]);
  });
}

leakTest("requests behind one that was refused are not looked at, however many there are", async () => {
  await using at = await listener();
  const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const answer = await answerTo(at.open(), get.repeat(2_000) + line + host + "\r\n");
  assert.match(answer, /^HTTP\/1\.1 405 [^]*\r\n\r\nonly CONNECT\n$/);
  assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1, "one answer");
  assert.deepEqual(at.asked, ["GET"]);
});

leakTest("a request that expects what nobody knows is answered here, and nothing behind it is looked at", async () => {
  await using at = await listener();
  const expecting = "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n";
  const answer = await answerTo(at.open(), expecting.repeat(20) + line + host + "\r\n");
  assert.match(answer, /^HTTP\/1\.1 405 [^]*\r\n\r\nonly CONNECT\n$/);
  assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1, "one answer");
  assert.deepEqual(at.asked, ["GET"]);
});

leakTest("an answer to HEAD has no body, and nobody is asked to go on with one", async () => {
  await using at = await listener();
  const head = await answerTo(at.open(), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 405 [^]*content-length: 13\r\n[^]*\r\n\r\n$/);
  const expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  assert.match(await answerTo(at.open(), expecting), /^HTTP\/1\.1 405 /);
});

const endless: Readonly<Record<string, string>> = {
  "a refused request": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n",
  "a refused CONNECT": `${line}${host}\r\n`,
  "what is no HTTP": "no HTTP at all\r\n\r\n",
};
for (const [what, text] of Object.entries(endless)) {
  leakTest(`who goes on sending behind ${what} is dropped`, async () => {
    await using at = await listener();
    const socket = at.open({ allowHalfOpen: true });
    let closed = false;
    let answer = "";
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => answer += part);
    socket.on("close", () => closed = true);
    socket.write(text);
    await until("it is answered", () => answer.includes("\r\n\r\n"));
    const chunk = new Uint8Array(16_384);
    await until("it is dropped", () => {
      if (!closed && !socket.writableNeedDrain) socket.write(chunk);
      return closed;
    });
    await until("it is told of", () => at.reasons().includes("flood"), 3000);
  });
}
