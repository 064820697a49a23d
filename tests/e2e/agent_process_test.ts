import assert from "node:assert/strict";
import { closeRequest } from "../../src/wire/packet.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { type FakeServer, startFakeServer } from "../support/fakes/fake_proxy_server.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { commandOf, httpGet, Program, startAgent } from "../support/processes/processes.ts";
import {
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function withCertificates(use: (files: TestCertificateFiles, dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await use(await writeTestCertificates(dir, await testCertificates()), dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function flagsFor(server: FakeServer, files: TestCertificateFiles): string[] {
  return [
    `--ca-cert=${files.caCert}`,
    `--agent-cert=${files.clientCert}`,
    `--agent-key=${files.clientKey}`,
    "--proxy-server-host=127.0.0.1",
    `--proxy-server-port=${server.port}`,
  ];
}

leakTest(
  "[agent 9-36] [agent weak 20] SIGTERM drains: tunnels run on, health and metrics answer, and the last tunnel's end is the end",
  async () => {
    await withCertificates(async (files) => {
      await using server = await startFakeServer();
      await using echo = await echoDestination();
      const agent = await startAgent(flagsFor(server, files));
      await agent.ready();
      const link = await server.link();
      assert.equal(await link.dial(echo.address, 1n), 1);
      agent.program.signal("SIGTERM");
      await until("the server is told", () => link.log.includes("DRAIN"));
      link.stream.sendData(1, text("still here"));
      await until("the tunnel runs on", () => link.text(1) === "still here");
      for (const path of ["/healthz", "/readyz"]) {
        assert.deepEqual(await httpGet(agent.healthPort, path), { status: 200, body: "ok" });
      }
      const metrics = await httpGet(agent.healthPort, "/metrics");
      assert.match(metrics.body, /^konnectivity_network_proxy_agent_open_server_connections 1$/m);
      assert.match(metrics.body, /^konnectivity_network_proxy_agent_open_endpoint_connections 1$/m);
      assert.equal(agent.program.status, undefined);
      link.stream.sendPacket(closeRequest(1));
      assert.equal((await agent.program.ended).code, 0, agent.program.tail());
      await until("the link has ended in order", () => link.end?.kind === "ended");
      assert.deepEqual(await agent.stop(), { code: 0, signal: null, signals: 1 });
    });
  },
);

leakTest("a second signal ends the agent at once, tunnels or not, in order for its parent", async () => {
  await withCertificates(async (files) => {
    await using server = await startFakeServer();
    await using echo = await echoDestination();
    const agent = await startAgent(flagsFor(server, files));
    await agent.ready();
    const link = await server.link();
    await link.dial(echo.address, 1n);
    agent.program.signal("SIGTERM");
    await until("the server is told", () => link.log.includes("DRAIN"));
    agent.program.signal("SIGTERM");
    assert.equal((await agent.program.ended).code, 0, agent.program.tail());
    await until("the link is gone", () => link.gone);
    await until("the destination knows", () => echo.open === 0);
    await agent.stop();
  });
});

leakTest("[agent weak 1] an agent that cannot start says why and ends with 1", async () => {
  await withCertificates(async (files, dir) => {
    await using server = await startFakeServer();
    const attempts: readonly (readonly [string, string])[] = [
      [`--ca-cert=${dir}/nothing.crt`, `error checking agent CA cert ${dir}/nothing.crt`],
      [`--ca-cert=${files.clientKey}`, "holds no certificate"],
    ];
    for (const [flag, why] of attempts) {
      const program = new Program("agent", [
        ...await commandOf("agent"),
        ...flagsFor(server, files),
        "--health-server-host=127.0.0.1",
        flag,
      ]);
      assert.equal((await program.ended).code, 1, flag);
      await program.stop();
      assert.ok(program.log.includes(why), `${flag}: ${program.tail()}`);
    }
    assert.equal(server.calls.length, 0);
  });
});

leakTest("[agent 9-35] every flag of the original is taken as --name=value, all at once", async () => {
  await withCertificates(async (files, dir) => {
    await using server = await startFakeServer();
    await Deno.writeTextFile(`${dir}/token`, "token-1\n");
    const agent = await startAgent([
      ...flagsFor(server, files),
      "--alpn-proto=[]",
      "--enable-profiling=false",
      "--enable-contention-profiling=false",
      "--agent-id=agent-7",
      "--agent-identifiers=ipv4=10.0.0.1&host=node1&default-route=true",
      "--sync-interval=1s",
      "--sync-interval-cap=10s",
      "--probe-interval=1s",
      "--keepalive-time=1h",
      `--service-account-token-path=${dir}/token`,
      "--warn-on-channel-limit=true",
      "--sync-forever=true",
      "--xfr-channel-size=150",
      "--count-server-leases=false",
      "--lease-namespace=kube-system",
      "--lease-label-selector=k8s-app=konnectivity-server",
      "--lease-label=k8s-app=konnectivity-server",
      "--server-count-source=default",
      "--kubeconfig=",
      "--kube-api-content-type=application/json",
      "--v=4",
      "--logtostderr=true",
      "--vmodule=",
    ]);
    await agent.ready();
    const { call } = await server.link();
    assert.deepEqual(call.metadata("agentid"), ["agent-7"]);
    assert.deepEqual(call.metadata("agentidentifiers"), ["ipv4=10.0.0.1&host=node1&default-route=true"]);
    assert.deepEqual(call.metadata("authorization"), ["Bearer token-1"]);
    // --sync-forever makes a new link every second, which must not keep a draining agent from its end.
    assert.deepEqual(await agent.stop(), { code: 0, signal: null, signals: 1 });
    assert.ok(!agent.program.log.includes("token-1"), "the log has the token");
  });
});
