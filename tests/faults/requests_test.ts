/** What throws while a request or a connection is served ends it alone, and the fault is logged and counted. */
import assert from "node:assert/strict";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import { connect } from "node:net";
import { fault, onFault } from "../../src/faults/fault.ts";
import { follow, ownedAsync, ownerOf } from "../../src/faults/owned.ts";
import { type ConnectFetch, listenConnect } from "../../src/net/http_connect/connect_listener.ts";
import { watchTls } from "../../src/net/tls/tls_watch.ts";
import { logFaults } from "../../src/logging/fault_log.ts";
import { serverHealthApp } from "../../src/ops/health.ts";
import { serveHttp } from "../../src/net/pages/http_server.ts";
import { MetricRegistry } from "../../src/metrics/metric_registry.ts";
import { addProcessMetrics } from "../../src/metrics/process_metrics.ts";
import { expectFaults } from "../support/assert/faults.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import {
  makeTestCertificates,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

/** Asks a listener for a tunnel, and returns all that it says until it hangs up. */
async function ask(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => answer += text).on("error", () => {});
  socket.write(request);
  await until("it was closed", () => socket.closed || answer.includes("\r\n\r\n"));
  socket.destroy();
  await until("it is gone", () => socket.closed);
  return answer;
}

const request = "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n";

const brokenFetches: Readonly<Record<string, ConnectFetch>> = {
  "throws": () => {
    throw new Error("broken");
  },
  "rejects": () => Promise.reject(new Error("broken")),
  "answers what cannot be read": () =>
    Object.assign(new Response("x"), { bytes: () => Promise.reject(new Error("broken")) }),
  "throws at the tunnel": (_request, bindings) => {
    bindings.tunnel = () => {
      throw new Error("broken");
    };
    return new Response(null, { status: 200 });
  },
};

for (const [what, broken] of Object.entries(brokenFetches)) {
  leakTest(`an HTTP CONNECT handler that ${what} loses its client, and the next is served`, async () => {
    using faults = expectFaults();
    let left = 2;
    await using listener = await listenConnect({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      fetch: (...args) => left-- > 0 ? broken(...args) : new Response("fine", { status: 503 }),
      clock: systemClock,
      onConnectionError: () => {},
    });
    assert.ok(listener.address.kind === "tcp");
    const { port } = listener.address;
    assert.doesNotMatch(await ask(port, request), /fine/);
    // Of the other kind of request: it reaches another event of the runtime.
    assert.doesNotMatch(await ask(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), /fine/);
    assert.match(await ask(port, request), /^HTTP\/1.1 503/);
    assert.ok(faults.seen.length >= 1);
    for (const { error } of faults.seen) assert.equal(error.message, "broken");
  });
}

leakTest("a page that throws is answered with 500, and the next is served", async () => {
  using faults = expectFaults();
  let left = 1;
  const app = serverHealthApp({
    readiness: () => {
      if (left-- > 0) throw new Error("broken readiness");
      return undefined;
    },
    metrics: { text: () => Promise.reject(new Error("broken metrics")), contentType: "text/plain" },
  });
  await using server = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
  const status = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    await response.body?.cancel();
    return response.status;
  };
  assert.deepEqual([await status("/readyz"), await status("/metrics"), await status("/readyz")], [500, 500, 200]);
  assert.deepEqual(faults.seen.map(({ error }) => error.message), ["broken readiness", "broken metrics"]);
});

leakTest("a listener of certificates that throws keeps no other from the new ones", async () => {
  using faults = expectFaults();
  const dir = await Deno.makeTempDir();
  try {
    const files = await writeTestCertificates(dir, await testCertificates());
    await using watched = await watchTls(
      { ca: files.caCert, cert: files.serverCert, key: files.serverKey },
      systemClock,
      20,
    );
    let told = 0;
    watched.onChange(() => {
      throw new Error("broken listener");
    });
    watched.onChange(() => void told++);
    await writeTestCertificates(dir, await makeTestCertificates("another CA"));
    await until("the other one was told", () => told > 0);
    assert.equal(faults.seen[0]?.place, "certificates");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a fault is logged with its stack, and counted by what it ended, in the metrics of server and agent", async () => {
  using _faults = expectFaults();
  const records: LogRecord[] = [];
  configureSync({
    reset: true,
    sinks: { all: (record) => records.push(record) },
    loggers: [
      { category: [], sinks: ["all"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], sinks: [], parentSinks: "override" },
    ],
  });
  const stop = logFaults();
  try {
    const registries = (["server", "agent"] as const).map((program) => {
      const registry = new MetricRegistry();
      addProcessMetrics(registry, program, "1");
      return registry;
    });
    const counts = async () => {
      const texts = await Promise.all(registries.map((registry) => registry.text()));
      return texts.map((text) => Number(/_internal_errors_total\{where="request"\} (\d+)/.exec(text)?.[1]));
    };
    const before = await counts();
    let ended = 0;
    fault(ownerOf("request", () => void ended++), new Error("broken handler"));
    assert.deepEqual(await counts(), before.map((count) => count + 1));
    assert.equal(ended, 1);
    const [record] = records;
    assert.equal(record?.level, "error");
    assert.match(String(record?.properties["stack"]), /broken handler\n.*requests_test/s);
  } finally {
    stop();
    resetSync();
  }
});

Deno.test("an end that throws, a listener of faults that throws and what is no error end nothing", async () => {
  using faults = expectFaults();
  const stop = onFault(() => {
    throw new Error("broken log");
  });
  try {
    const ended = Promise.withResolvers<void>();
    fault(
      ownerOf("call", () => {
        throw new Error("broken end");
      }),
      "no error",
    );
    follow(ownerOf("call", () => ended.resolve()), Promise.reject(new Error("nobody waits")));
    await ended.promise;
    const rejected = Promise.withResolvers<void>();
    ownedAsync(ownerOf("call", () => rejected.resolve()), () => Promise.reject(new Error("asynchronous")))();
    await rejected.promise;
  } finally {
    stop();
  }
  assert.deepEqual(faults.seen.map(({ error }) => error.message), [
    "no error",
    "broken end",
    "nobody waits",
    "asynchronous",
  ]);
});
