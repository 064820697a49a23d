import assert from "node:assert/strict";
import { request } from "node:http";
import type { AgentStatus } from "../../src/ops/status/agent_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { serverStatus } from "./read_status.ts";

async function agentStatus({ agent }: Launched, query = ""): Promise<AgentStatus> {
  const { status, body } = await httpGet(agent.adminPort, `/status${query}`);
  assert.equal(status, 200, body);
  return JSON.parse(body) as AgentStatus;
}

/** Status code of a request with a method and a Host of its own. */
function asked(port: number, method: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path: "/status", method, headers: { host }, agent: false }, (response) => {
      response.resume().once("close", () => resolve(response.statusCode));
    }).once("error", reject).end();
  });
}

for (const kind of ["grpc-tls", "connect-uds"] as const) {
  leakTest(
    `${kind}: the status of server and agent shows one tunnel alike, its bytes, its client, and its end`,
    async () => {
      await using echo = await echoDestination();
      await using launched = await Launched.start(kind, {
        serverFlags: ["--server-id=status-server"],
        agentFlags: ["--agent-id=status-agent", "--agent-identifiers=host=a.example&default-route=true"],
      });
      await using client = await launched.client();
      const open = new Conversation(await client.dial(echo.address));
      assert.equal(await open.ask("hello"), "hello");

      const server = await serverStatus(launched);
      assert.equal(server.version, 1);
      assert.equal(server.program.name, "proxy-server");
      assert.equal(server.ready, true);
      assert.equal(server.server.id, "status-server");
      const names = server.listeners.map(({ name }) => name);
      assert.deepEqual(names, ["client", "agent", "health", "admin"]);
      assert.equal(server.listeners[3]?.address, `127.0.0.1:${launched.server.adminPort}`);
      assert.deepEqual(
        server.certificates.map(({ name }) => name),
        kind === "grpc-tls" ? ["server", "cluster"] : ["cluster"],
      );
      assert.ok(server.certificates.every(({ expiresInSeconds }) => expiresInSeconds > 0));
      const [agentEntry, ...others] = server.agents.items;
      assert.deepEqual(others, []);
      assert.equal(agentEntry?.id, "status-agent");
      assert.equal(agentEntry.link, "direct");
      assert.deepEqual(agentEntry.identifiers, ["default-route=true", "host=a.example"]);
      assert.equal(agentEntry.tunnels, 1);
      assert.deepEqual(agentEntry.bytes, { sent: 5, received: 5 });
      const [tunnel] = server.tunnels.items;
      assert.equal(tunnel?.destination, echo.address);
      assert.equal(tunnel.agent, "status-agent");
      assert.equal(tunnel.state, "open");
      assert.equal(tunnel.client.frontend, kind === "grpc-tls" ? "grpc" : "http-connect");
      assert.deepEqual(tunnel.bytes, { sent: 5, received: 5 });

      const agent = await agentStatus(launched);
      assert.equal(agent.agent.id, "status-agent");
      assert.equal(agent.ready, true);
      assert.equal(agent.serverCount, 1);
      assert.equal(agent.routes[0]?.state, "linked");
      assert.equal(agent.links.items[0]?.server, "status-server");
      assert.equal(agent.links.items[0].state, "up");
      const [endpoint] = agent.tunnels.items;
      assert.equal(endpoint?.id, tunnel.id);
      assert.equal(endpoint.destination, echo.address);
      assert.deepEqual(endpoint.bytes, { sent: 5, received: 5 });

      await assertDocumented([server, agent]);

      assert.equal((await serverStatus(launched, "?destination=nowhere")).tunnels.matched, 0);
      assert.equal((await serverStatus(launched, "?agent=status-agent&client=nobody")).tunnels.total, 1);
      assert.deepEqual((await serverStatus(launched, "?tunnels=0")).tunnels.items, []);
      assert.deepEqual((await agentStatus(launched, "?server=other")).tunnels.items, []);

      await open.tunnel.close();
      await until("both have forgotten it", async () => {
        const [one, other] = [await serverStatus(launched), await agentStatus(launched)];
        return one.tunnels.total + other.tunnels.total === 0;
      });
      const [after] = (await serverStatus(launched)).agents.items;
      assert.deepEqual(after?.bytes, { sent: 5, received: 5 }, "bytes of tunnels that have ended still count");
      assert.deepEqual((await agentStatus(launched)).links.items[0]?.bytes, { sent: 5, received: 5 });
    },
  );
}

leakTest(
  "a dial that waits and one that failed are shown, and requests that ask for nothing known are refused",
  async () => {
    await using launched = await Launched.start("grpc-uds");
    await using client = await launched.client();
    await assert.rejects(client.dial("127.0.0.1:1"));
    const [failure] = (await serverStatus(launched)).failures;
    assert.equal(failure?.reason, "error_response");
    assert.equal(failure.destination, "127.0.0.1:1");
    assert.match(failure.message, /refused/);
    assert.equal((await agentStatus(launched)).failures[0]?.destination, "127.0.0.1:1");

    launched.agent.program.signal("SIGSTOP");
    const pending = client.dial("127.0.0.1:2");
    pending.catch(() => {});
    await until(
      "the dial is shown",
      async () => (await serverStatus(launched)).dials.items[0]?.destination === "127.0.0.1:2",
    );
    launched.agent.program.signal("SIGCONT");
    await assert.rejects(pending);

    for (const port of [launched.server.adminPort, launched.agent.adminPort]) {
      for (const query of ["?tunnel=1", "?tunnels=-1", "?tunnels=1001", "?tunnels=1&tunnels=2"]) {
        const { status, body } = await httpGet(port, `/status${query}`);
        assert.equal(status, 400, query);
        assert.match(body, /^400 Bad Request: (unknown )?parameter/);
      }
      assert.equal(await asked(port, "POST", "localhost"), 405);
      assert.equal(await asked(port, "HEAD", "localhost"), 200);
      assert.equal(await asked(port, "GET", "[::1]:1"), 200);
      assert.equal(await asked(port, "GET", "rebound.example"), 403, "a name of somebody else's that leads here");
    }
  },
);
