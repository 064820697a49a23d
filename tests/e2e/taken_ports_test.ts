import assert from "node:assert/strict";
import { startFakeServer } from "../support/fakes/fake_proxy_server.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { freePort } from "../support/processes/free_port.ts";
import { httpGet, launcherOf, Program, startAgent } from "../support/processes/processes.ts";
import { RawCall } from "../conformance/raw_grpc.ts";

const noPort = (port: "health" | "admin", number: number) =>
  `no ${port} port: cannot listen on 127.0.0.1:${number}: address already in use`;

leakTest(
  "[agent weak 29] an agent takes over from another one on its machine's network: it is linked at once, and opens health and admin port when they are free",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    try {
      const files = await writeTestCertificates(folder, await testCertificates());
      await using server = await startFakeServer();
      await using echo = await echoDestination();
      const flags = [
        `--ca-cert=${files.caCert}`,
        `--agent-cert=${files.clientCert}`,
        `--agent-key=${files.clientKey}`,
        "--proxy-server-host=127.0.0.1",
        `--proxy-server-port=${server.port}`,
      ];
      const old = await startAgent([...flags, "--agent-id=old"], {}, await launcherOf("agent"));
      const { healthPort, adminPort } = old;
      await using agent = new Program("agent", [
        ...await launcherOf("agent"),
        ...flags,
        "--agent-id=new",
        "--health-server-host=127.0.0.1",
        `--health-server-port=${healthPort}`,
        `--admin-server-port=${adminPort}`,
      ]);
      await until("both agents are linked", () => server.links.length === 2);
      const link = server.links.find(({ call }) => call.metadata("agentid")[0] === "new") ?? await server.link();
      assert.equal(await link.dial(echo.address, 1n), 1, "it serves meanwhile");
      // The ports are the other agent's still, which trusts whoever is on the machine; they are no destinations here either.
      assert.match(String(await link.dial(`127.0.0.1:${adminPort}`, 2n)), /not allowed: a port of this agent itself/);
      await until("it says what it lacks", () => agent.log.includes(noPort("admin", adminPort)));
      assert.ok(agent.log.includes(noPort("health", healthPort)), agent.tail());
      assert.equal((await old.stop()).code, 0);
      await until("the health port is open", async () => (await httpGet(healthPort, "/readyz")).body === "ok");
      await until("the admin port is open", async () => (await httpGet(adminPort, "/metrics")).status === 301);
      assert.equal(agent.log.split(noPort("health", healthPort)).length, 2, "it was said once");
      assert.ok(agent.log.includes("the health port is open now"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

for (const workers of [1, 2]) {
  leakTest(
    `[server W28] a server whose health and admin ports are taken serves on, and opens them when they are free (workers: ${workers})`,
    async () => {
      const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
      try {
        const certificates = await writeTestCertificates(folder, await testCertificates());
        const health = await echoDestination();
        const admin = await echoDestination();
        const uds = `${folder}/frontend.sock`;
        const agentPort = await freePort();
        await using server = new Program("server", [
          ...await launcherOf("server"),
          "--server-port=0",
          `--uds-name=${uds}`,
          `--cluster-ca-cert=${certificates.caCert}`,
          `--cluster-cert=${certificates.serverCert}`,
          `--cluster-key=${certificates.serverKey}`,
          "--agent-bind-address=127.0.0.1",
          `--agent-port=${agentPort}`,
          "--health-bind-address=127.0.0.1",
          `--health-port=${health.port}`,
          `--admin-port=${admin.port}`,
          `--workers=${workers}`,
        ]);
        await until("it runs", () => /proxy server \S+ runs/.test(server.log) || server.status !== undefined);
        assert.equal(server.status, undefined, server.tail());
        assert.ok(server.log.includes(noPort("health", health.port)), server.tail());
        assert.ok(server.log.includes(noPort("admin", admin.port)), server.tail());
        {
          await using call = await RawCall.open({ uds, port: 0, certificates });
          await assert.rejects(call.dial("127.0.0.1:1"), /No agent available/);
        }
        await health[Symbol.asyncDispose]();
        await admin[Symbol.asyncDispose]();
        await until("the health port is open", async () => (await httpGet(health.port, "/healthz")).body === "ok");
        await until("the admin port is open", async () => (await httpGet(admin.port, "/metrics")).status === 200);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}
