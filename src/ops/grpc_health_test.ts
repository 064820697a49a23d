import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import assert from "node:assert/strict";
import { createServer, type ServerHttp2Session } from "node:http2";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { until } from "../../tests/support/assert/until.ts";
import { unknownPeer } from "../wire/peer_identity.ts";
import { healthRoutes, HealthStatus } from "./grpc_health.ts";
import { watchLimits } from "./health_watches.ts";

function clientOf(health: HealthStatus) {
  return createClient(Health, createRouterTransport((router) => healthRoutes(router, health, () => unknownPeer)));
}

leakTest("a check tells whether the listener and its services take calls now", async () => {
  let serving = false;
  const client = clientOf(new HealthStatus({ services: ["ProxyService"], serving: () => serving }));
  for (const service of ["", "ProxyService"]) {
    assert.equal((await client.check({ service })).status, Status.NOT_SERVING);
  }
  serving = true;
  for (const service of ["", "ProxyService"]) assert.equal((await client.check({ service })).status, Status.SERVING);
});

leakTest("a check of a service that is not served is NOT_FOUND", async () => {
  const client = clientOf(new HealthStatus({ services: ["ProxyService"], serving: () => true }));
  await assert.rejects(
    client.check({ service: "proxyservice" }),
    (error) => error instanceof ConnectError && error.code === Code.NotFound,
  );
});

leakTest("a watch tells the status at once and then each change, once", async () => {
  let serving = true;
  const health = new HealthStatus({ services: [], serving: () => serving });
  const abort = new AbortController();
  const seen: Status[] = [];
  const watching = (async () => {
    for await (const { status } of clientOf(health).watch({}, { signal: abort.signal })) seen.push(status);
  })();
  const ended = assert.rejects(watching);
  await until("the first status", () => seen.length === 1);
  health.changed();
  health.changed();
  serving = false;
  health.changed();
  await until("the change", () => seen.length === 2);
  serving = true;
  health.changed();
  await until("the change back", () => seen.length === 3);
  assert.deepEqual(seen, [Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  abort.abort();
  await ended;
  await until("nobody watches", () => health.watcherCount === 0);
});

leakTest("a watch of a service that is not served says SERVICE_UNKNOWN and stays open", async () => {
  const health = new HealthStatus({ services: [], serving: () => true });
  const abort = new AbortController();
  const watch = clientOf(health).watch({ service: "other" }, { signal: abort.signal })[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.status, Status.SERVICE_UNKNOWN);
  assert.equal(health.watcherCount, 1);
  abort.abort();
  await assert.rejects(watch.next());
  await until("nobody watches", () => health.watcherCount === 0);
});

leakTest("watches of one connection are bounded", async () => {
  const health = new HealthStatus({ services: [], serving: () => true });
  const client = clientOf(health);
  const abort = new AbortController();
  const watches = Array.from(
    { length: watchLimits.ofConnection },
    () => client.watch({}, { signal: abort.signal })[Symbol.asyncIterator](),
  );
  for (const watch of watches) assert.equal((await watch.next()).value?.status, Status.SERVING);
  await assert.rejects(
    client.watch({})[Symbol.asyncIterator]().next(),
    (error) => error instanceof ConnectError && error.code === Code.ResourceExhausted,
  );
  abort.abort();
  await Promise.all(watches.map((watch) => assert.rejects(watch.next())));
  await until("nobody watches", () => health.watcherCount === 0);
});

Deno.test("a stranger who takes all places keeps nobody else from watching", () => {
  const health = new HealthStatus({ services: [], serving: () => true });
  const gaveUp: string[] = [];
  const watch = (address: string) => {
    const seen: Status[] = [];
    const stop = health.watch("", {
      peer: { address, certificate: undefined },
      status: (status) => seen.push(status),
      giveUp: () => gaveUp.push(address),
    });
    assert.deepEqual(seen, [Status.SERVING]);
    return stop;
  };
  const { ofListener } = watchLimits;
  for (let i = 0; i < ofListener; i++) watch(`10.0.0.1:${1000 + i}`);
  assert.equal(health.watcherCount, ofListener);
  assert.throws(() => watch("10.0.0.1:999"), (error) => ConnectError.from(error).code === Code.ResourceExhausted);
  for (let i = 0; i < 20; i++) watch(`10.0.0.2:${1000 + i}`)();
  const others = Array.from({ length: ofListener / 2 }, (_, i) => watch(`10.0.1.${i}:1`));
  assert.equal(health.watcherCount, ofListener);
  assert.deepEqual(new Set(gaveUp.map((address) => address.replace(/:.*/, ""))), new Set(["10.0.0.1"]));
  for (const stop of others) stop();
  assert.equal(health.watcherCount, ofListener / 2);
});

leakTest("gRPC clients check and watch over HTTP/2, and a client that goes away watches no more", async () => {
  let serving = true;
  const health = new HealthStatus({ services: ["AgentService"], serving: () => serving });
  const server = createServer(
    connectNodeAdapter({ routes: (router) => healthRoutes(router, health, () => unknownPeer) }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const client = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${address.port}` }));
  assert.equal((await client.check({ service: "AgentService" })).status, Status.SERVING);
  const watch = client.watch({})[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.status, Status.SERVING);
  const next = watch.next();
  serving = false;
  health.changed();
  assert.equal((await next).value?.status, Status.NOT_SERVING);
  const lost = assert.rejects(watch.next());
  for (const session of sessions) session.destroy();
  await lost;
  await until("nobody watches", () => health.watcherCount === 0);
  await new Promise((resolve) => server.close(resolve));
});
