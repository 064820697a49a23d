import assert from "node:assert/strict";
import { echoDestination } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { passesOn, refusal } from "./reach.ts";
import { interfaceAddresses, reachesNoPort, statusFor } from "./reached_ports.ts";

leakTest(
  "no client reaches the agent's own ports and heap through its tunnel, in no form: grpc-uds",
  () => reachesNoPort("grpc-uds"),
);

leakTest("an agent is no way to its servers' agent port, and none to link-local addresses", async () => {
  await using launched = await Launched.start("grpc-uds");
  for (
    const host of [
      "127.0.0.1",
      "localhost",
      "[::ffff:127.0.0.1]",
      ...interfaceAddresses().filter((a) => !a.includes(":")),
    ]
  ) {
    assert.match(
      await refusal(launched, `${host}:${launched.server.agentPort}`),
      /not allowed: the proxy servers' port for agents$/,
      host,
    );
  }
  for (const host of ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]"]) {
    assert.match(await refusal(launched, `${host}:80`), /not allowed: a link-local or metadata address$/, host);
  }
  const line = /refused: dial tcp 169\.254\.169\.254:80: not allowed: a link-local/;
  await until("the log says so", () => line.test(launched.agent.program.log));
  const metrics = await httpGet(launched.agent.healthPort, "/metrics");
  const counted = /^konnectivity_network_proxy_agent_endpoint_dial_failure_total\{reason="not_allowed"\} (\d+)$/m
    .exec(metrics.body);
  assert.ok(Number(counted?.[1]) >= 8, counted?.[0] ?? "no such series");
});

leakTest("--destinations and --deny-destinations decide about addresses and what names resolve to", async () => {
  await using echo = await echoDestination();
  await using other = await echoDestination();
  await using launched = await Launched.start("grpc-uds", {
    agentFlags: [`--destinations=127.0.0.0/8:${echo.port},localhost:${other.port}`, "--deny-destinations=127.0.0.9"],
  });
  assert.equal(await refusal(launched, `127.0.0.1:${echo.port}`), "");
  assert.equal(await refusal(launched, `localhost:${echo.port}`), "", "a name that leads into the range");
  assert.equal(await refusal(launched, `localhost:${other.port}`), "", "a name of the list");
  const unlisted = /not allowed: not among this agent's --destinations$/;
  assert.match(await refusal(launched, `127.0.0.1:${other.port}`), unlisted);
  assert.match(await refusal(launched, `nowhere.example:${other.port}`), unlisted);
  assert.match(
    await refusal(launched, `127.0.0.9:${echo.port}`),
    /not allowed: among this agent's --deny-destinations$/,
  );
});

leakTest("where the sandbox narrows an agent to its --destinations, it is what they say all the same", async () => {
  await using echo = await echoDestination();
  await using other = await echoDestination();
  await using launched = await Launched.start("grpc-uds", { agentFlags: [`--destinations=127.0.0.0/8:${echo.port}`] });
  for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"]) {
    assert.equal(await refusal(launched, `${host}:${echo.port}`), "", host);
  }
  for (const address of [`127.0.0.1:${other.port}`, `[::1]:${echo.port}`, `127.0.0.1:${launched.agent.adminPort}`]) {
    assert.match(await refusal(launched, address), /not allowed: not among this agent's --destinations$/, address);
  }
});

leakTest("an agent dials one of its own ports where --destinations names just that", async () => {
  const port = await freePort();
  await using launched = await Launched.start("grpc-uds", {
    agentFlags: [`--health-server-port=${port}`, `--destinations=127.0.0.1:${port},*`],
  });
  assert.equal(await refusal(launched, `localhost:${port}`), "");
  assert.match(await refusal(launched, `127.0.0.1:${launched.agent.adminPort}`), /not allowed: a port of this agent/);
});

leakTest(
  "server and agent give heap snapshots only where asked to, and profiles to no site that names 127.0.0.1",
  async () => {
    const profiling = ["--enable-profiling"];
    {
      await using launched = await Launched.start("grpc-uds", { agentFlags: profiling, serverFlags: profiling });
      for (const { adminPort } of [launched.agent, launched.server]) {
        const { status, body } = await httpGet(adminPort, "/debug/pprof/heap");
        assert.equal(status, 403);
        assert.match(body, /hold private keys .* --enable-heap-snapshots$/m);
        assert.equal(await statusFor(adminPort, "/debug/pprof/", "evil.example"), 403);
        assert.equal(await statusFor(adminPort, "/debug/pprof/", `localhost:${adminPort}`), 200);
      }
    }
  },
);

for (const kind of ["grpc-tls", "connect-tls"] as const) {
  leakTest(`a server passes on what its lists and its client's own allow: ${kind}`, () => passesOn(kind));
}

leakTest(
  "a client that no --client-destinations name reaches nothing, neither does one without a certificate",
  async () => {
    await using echo = await echoDestination();
    const stranger = /not allowed: no --client-destinations name this client/;
    {
      await using launched = await Launched.start("grpc-tls", {
        serverFlags: ["--client-destinations=kube-apiserver=*"],
      });
      assert.match(await refusal(launched, echo.address), stranger);
    }
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: [`--client-destinations=*=127.0.0.1:${echo.port}`],
    });
    assert.equal(await refusal(launched, echo.address), "");
    assert.match(await refusal(launched, `127.0.0.2:${echo.port}`), /not among this client's --client-destinations/);
  },
);
