import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { freePort } from "../../../tests/support/processes/free_port.ts";
import { startTestServer } from "./test_server.ts";

const successPage = "<!DOCTYPE html>\n<html>\n    <head>\n        <title>Success</title>\n    </head>\n" +
  "    <body>\n        <p>The success test page!</p>\n    </body>\n</html>";
const loopback = { bindAddress: "127.0.0.1", serverPort: 0 };

interface Exchange {
  /** What has come so far. */
  readonly received: string;
  /** All that came, once the connection is closed; a reset counts as an end. */
  readonly all: Promise<string>;
  destroy(): Promise<unknown>;
}

/** Sends a request on a connection of its own; resolves when it has been written. */
async function send(port: number, request: string): Promise<Exchange> {
  let received = "";
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1");
  socket.on("data", (text) => received += text);
  const all = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("connect", () => socket.write(request, () => resolve()));
  });
  return {
    get received() {
      return received;
    },
    all,
    destroy: () => {
      socket.destroy();
      return all;
    },
  };
}

async function exchange(port: number, request: string): Promise<string> {
  return await (await send(port, request)).all;
}

function get(target: string, method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
}

const pages: [string, string, number, string, string][] = [
  ["GET", "/success", 200, "text/html; charset=utf-8", successPage],
  ["POST", "/success", 200, "text/html; charset=utf-8", successPage],
  ["TRACE", "/success", 200, "text/html; charset=utf-8", successPage],
  ["GET", "http://localhost:8000/success?a=b", 200, "text/html; charset=utf-8", successPage],
  ["GET", "/sleep?time=0", 200, "text/html; charset=utf-8", successPage],
  ["GET", "/sleep?time=-5", 200, "text/html; charset=utf-8", successPage],
  ["GET", "/error", 500, "text/plain; charset=utf-8", "Internal Server Error\n"],
  ["GET", "/", 404, "text/plain; charset=utf-8", "404 page not found\n"],
  ["GET", "/success/", 404, "text/plain; charset=utf-8", "404 page not found\n"],
  ["GET", "//", 404, "text/plain; charset=utf-8", "404 page not found\n"],
];
for (const [method, target, status, type, body] of pages) {
  leakTest(`[client 2.2] ${method} ${target} is answered with the original's bytes`, async () => {
    await using server = await startTestServer(loopback);
    const [head = "", received] = (await exchange(server.port, get(target, method))).split("\r\n\r\n");
    const [first, ...headers] = head.toLowerCase().split("\r\n");
    assert.match(first ?? "", new RegExp(`^http/1\\.1 ${status} `));
    assert.ok(headers.includes(`content-type: ${type}`), head);
    assert.ok(headers.includes(`content-length: ${body.length}`), head);
    assert.equal(received, body);
  });
}

leakTest("[client 2.2] a HEAD request gets the length and no body", async () => {
  await using server = await startTestServer(loopback);
  const received = await exchange(server.port, get("/success", "HEAD"));
  assert.match(received, /^HTTP\/1\.1 200 [\s\S]*content-length: 145\r\n[\s\S]*\r\n\r\n$/i);
});

leakTest("[client 2.2] /close drops the connection without a response", async () => {
  await using server = await startTestServer(loopback);
  assert.equal(await exchange(server.port, get("/close")), "");
});

for (const query of ["", "?time=", "?time=0.5", "?time=soon", "?time=0&time=0"]) {
  leakTest(`[client 2.2] /sleep${query} sleeps for the default time, until its client hangs up`, async () => {
    await using server = await startTestServer(loopback);
    const sleeper = await send(server.port, get(`/sleep${query}`));
    // Whoever comes later is answered, the sleeper is not.
    assert.match(await exchange(server.port, get("/success")), / 200 /);
    assert.equal(sleeper.received, "");
    await sleeper.destroy();
  });
}

leakTest("[client 2.2] /sleep answers after the seconds it was told", async () => {
  await using server = await startTestServer(loopback);
  const from = performance.now();
  assert.match(await exchange(server.port, get("/sleep?time=1")), / 200 [\s\S]*The success test page!/);
  assert.ok(performance.now() - from >= 990);
});

leakTest("a sleep longer than a timer can hold does not end at once", async () => {
  await using server = await startTestServer(loopback);
  const sleeper = await send(server.port, get("/sleep?time=99999999"));
  assert.match(await exchange(server.port, get("/success")), / 200 /);
  assert.equal(sleeper.received, "");
  await sleeper.destroy();
});

leakTest("requests on one connection are answered in turn", async () => {
  await using server = await startTestServer(loopback);
  const twice = `GET /success HTTP/1.1\r\nHost: a\r\n\r\n${get("/error")}`;
  assert.match(await exchange(server.port, twice), /200 OK[\s\S]*<\/html>HTTP\/1\.1 500 /);
});

leakTest("a drained server answers what is in flight, and no one else", async () => {
  await using server = await startTestServer(loopback);
  const idle = await send(server.port, keptAlive("/success"));
  await until("the idle connection has its answer", () => idle.received.endsWith("</html>"));
  const sleeper = await send(server.port, keptAlive("/sleep?time=1"));
  // Requests are read in the order of their arrival: with this answer, the sleeper's has been read.
  await exchange(server.port, get("/success"));
  server.drain();
  await idle.all;
  await assert.rejects(send(server.port, get("/success")), { code: "ECONNREFUSED" });
  assert.match(await sleeper.all, / 200 [\s\S]*connection: close[\s\S]*<\/html>$/i);
  await server.closed;
});

leakTest("a port that is taken is an error that names it", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  assert.ok(address !== null && typeof address === "object");
  const { port } = address;
  await assert.rejects(startTestServer({ bindAddress: "127.0.0.1", serverPort: port }), {
    code: "listen-failed",
    message: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: address already in use, `),
  });
  await new Promise((resolve) => other.close(resolve));
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  leakTest(`[client 2.2] ${signal} lets requests finish and ends the program with 0`, async () => {
    await using program = await startProgram();
    const sleeper = await send(program.port, keptAlive("/sleep?time=1"));
    await exchange(program.port, get("/success"));
    program.process.kill(signal);
    assert.match(await sleeper.all, / 200 [\s\S]*<\/html>$/);
    assert.equal((await program.process.status).code, 0);
  });
}

leakTest("[client 2.2] a second signal ends the program at once with 1", async () => {
  await using program = await startProgram();
  const idle = await send(program.port, keptAlive("/success"));
  await until("the idle connection has its answer", () => idle.received.endsWith("</html>"));
  const sleeper = await send(program.port, get("/sleep?time=600"));
  await exchange(program.port, get("/success"));
  program.process.kill("SIGTERM");
  // The first signal has been handled when the idle connection is gone.
  await idle.all;
  program.process.kill("SIGINT");
  assert.equal((await program.process.status).code, 1);
  assert.equal(await sleeper.all, "");
});

leakTest("a program that cannot listen ends with 1", async () => {
  await using server = await startTestServer(loopback);
  assert.equal((await spawnProgram(server.port).status).code, 1);
});

function keptAlive(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

interface Program extends AsyncDisposable {
  readonly port: number;
  readonly process: Deno.ChildProcess;
}

async function startProgram(): Promise<Program> {
  const port = await freePort();
  const process = spawnProgram(port);
  const end = async () => {
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await process.status;
  };
  const accepts = async () => {
    try {
      await (await send(port, get("/success"))).destroy();
      return true;
    } catch {
      return false;
    }
  };
  try {
    await until("the program listens", accepts);
  } catch (error) {
    await end();
    throw error;
  }
  return { port, process, [Symbol.asyncDispose]: end };
}

function spawnProgram(port: number): Deno.ChildProcess {
  const script = `import { runTestServer } from ${JSON.stringify(import.meta.resolve("./test_server.ts"))};
    Deno.exit(await runTestServer({ bindAddress: "127.0.0.1", serverPort: ${port} }));`;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const args = ["eval", "--config", config, script];
  return new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
}
