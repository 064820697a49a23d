import assert from "node:assert/strict";
import {
  type FakeProxy,
  relayConnectProxy,
  relayGrpcProxy,
  relayTlsConnectProxy,
} from "../../../tests/support/fakes/fake_proxy.ts";
import { refusingAddress } from "../../../tests/support/in_process/destinations.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { makeTestCertificates, writeTestCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { runTestClient, type TestClientTask } from "./test_client.ts";
import { startTestServer, type TestServer } from "./test_server.ts";

const main = new URL("../../../main.ts", import.meta.url);

/** The defaults of the flags, for a proxy on a Unix socket. */
function task(proxyUds: string, requestPort: number, rest: Partial<TestClientTask> = {}): TestClientTask {
  return {
    clientCert: "",
    clientKey: "",
    caCert: "",
    requestProto: "http",
    requestPath: "success",
    requestHost: "127.0.0.1",
    requestPort,
    proxyHost: "",
    proxyPort: 0,
    proxyUds,
    mode: "grpc",
    userAgent: "test-client",
    testRequests: 1,
    testDelaySeconds: 0,
    afterDelaySeconds: 0,
    closeIdleConn: true,
    enableHttp2Healthchecks: true,
    ...rest,
  };
}

/** Runs the client and collects what it writes. */
async function run(options: TestClientTask): Promise<{ code: number; bodies: string[] }> {
  const bodies: string[] = [];
  const code = await runTestClient(options, (bytes) => {
    bodies.push(new TextDecoder().decode(bytes));
    return Promise.resolve();
  });
  return { code, bodies };
}

/** A proxy of each mode with a test server behind it. */
function clientTest(
  title: string,
  body: (proxy: FakeProxy, server: TestServer, mode: string) => Promise<void>,
): void {
  for (const [mode, start] of [["grpc", relayGrpcProxy], ["http-connect", relayConnectProxy]] as const) {
    leakTest(`${title} (${mode})`, async () => {
      await using proxy = await start();
      await using server = await startTestServer({ bindAddress: "127.0.0.1", serverPort: 0 });
      await body(proxy, server, mode);
    });
  }
}

clientTest(
  "[client 2.1] the answer's body is printed, with a line end, and the exit code is 0",
  async (proxy, server, mode) => {
    const { code, bodies } = await run(task(proxy.path, server.port, { mode }));
    assert.equal(code, 0);
    assert.equal(bodies.length, 1);
    assert.match(bodies[0] ?? "", /^<!DOCTYPE html>[\s\S]*The success test page![\s\S]*<\/html>\n$/);
  },
);

clientTest(
  "[client 8.10] a status of 400 or more is a failure, and its body is printed all the same",
  async (proxy, server, mode) => {
    const error = await run(task(proxy.path, server.port, { mode, requestPath: "/error" }));
    assert.deepEqual(error, { code: 1, bodies: ["Internal Server Error\n"] });
    const missing = await run(task(proxy.path, server.port, { mode, requestPath: "nowhere" }));
    assert.deepEqual(missing, { code: 1, bodies: ["404 page not found\n"] });
  },
);

clientTest("[client 8.10] a query string reaches the destination", async (proxy, server, mode) => {
  // Without its query this path would sleep for 10 s and warn.
  const { code } = await run(task(proxy.path, server.port, { mode, requestPath: "sleep?time=0" }));
  assert.equal(code, 0);
});

clientTest("[client 2.1] a destination that hangs up, or is not there, is a failure", async (proxy, server, mode) => {
  assert.deepEqual(await run(task(proxy.path, server.port, { mode, requestPath: "close" })), { code: 1, bodies: [] });
  const port = Number((await refusingAddress()).split(":")[1]);
  assert.deepEqual(await run(task(proxy.path, port, { mode })), { code: 1, bodies: [] });
});

clientTest("[client 2.1] requests are sent all at once", async (proxy, server, mode) => {
  const startMs = performance.now();
  const options = task(proxy.path, server.port, { mode, requestPath: "sleep?time=1", testRequests: 20 });
  const { code, bodies } = await run(options);
  assert.deepEqual([code, bodies.length], [0, 20]);
  // One after another they would take 20 s.
  assert.ok(performance.now() - startMs < 15_000);
});

leakTest(
  "[client 2.1] --test-delay holds each connection but the last, --close-idle-conn=false holds all",
  async () => {
    await using proxy = await relayConnectProxy();
    await using server = await startTestServer({ bindAddress: "127.0.0.1", serverPort: 0 });
    let answers = 0;
    const count = () => Promise.resolve(void answers++);
    const options = task(proxy.path, server.port, { mode: "http-connect", testRequests: 3 });
    const held = runTestClient({ ...options, testDelaySeconds: 3 }, count);
    await until("all are answered, and the last is closed", () => answers === 3 && proxy.open === 2);
    assert.equal(await held, 0);
    await until("none is left", () => proxy.open === 0);
    answers = 0;
    const kept = runTestClient({ ...options, closeIdleConn: false, afterDelaySeconds: 3 }, count);
    await until("all are answered and open", () => answers === 3 && proxy.open === 3);
    assert.equal(await kept, 0);
    await until("none is left", () => proxy.open === 0);
  },
);

leakTest("[client 8.10] --user-agent names the client to the proxy", async () => {
  await using proxy = await relayGrpcProxy();
  await using server = await startTestServer({ bindAddress: "127.0.0.1", serverPort: 0 });
  await run(task(proxy.path, server.port, { userAgent: "tester/7" }));
  assert.deepEqual(proxy.calls[0]?.call.metadata("user-agent"), ["tester/7"]);
});

leakTest(
  "[client 2.1] a proxy on TCP is reached by TLS with the given files, and bad files are a failure",
  async () => {
    const certificates = await makeTestCertificates("test client CA");
    const { ca, server: pair } = certificates;
    await using proxy = await relayTlsConnectProxy({ ca: ca.certPem, cert: pair.certPem, key: pair.keyPem });
    await using server = await startTestServer({ bindAddress: "127.0.0.1", serverPort: 0 });
    const dir = await Deno.makeTempDir();
    try {
      const files = await writeTestCertificates(dir, certificates);
      const options = task("", server.port, {
        mode: "http-connect",
        proxyHost: "localhost",
        proxyPort: proxy.port,
        caCert: files.caCert,
        clientCert: files.clientCert,
        clientKey: files.clientKey,
      });
      assert.equal((await run(options)).code, 0);
      assert.equal((await run({ ...options, clientKey: files.serverKey })).code, 1);
      assert.equal((await run({ ...options, caCert: files.clientKey })).code, 1);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  leakTest(`[client 8.10] ${signal} ends the program at once with exit code 1 and a message`, async () => {
    await using proxy = await relayGrpcProxy();
    await using server = await startTestServer({ bindAddress: "127.0.0.1", serverPort: 0 });
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        main.href,
        "test-client",
        `--proxy-uds=${proxy.path}`,
        "--proxy-host=",
        "--proxy-port=0",
        `--request-port=${server.port}`,
        "--request-host=127.0.0.1",
        "--request-path=/sleep?time=600",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    await until("the request is in flight", () => proxy.calls[0] !== undefined && proxy.calls[0].dataBytes > 0);
    child.kill(signal);
    const { code, stdout, stderr } = await output;
    assert.deepEqual([code, new TextDecoder().decode(stdout)], [1, ""]);
    assert.match(new TextDecoder().decode(stderr), new RegExp(`interrupted by ${signal}`));
  });
}
