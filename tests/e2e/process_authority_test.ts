import assert from "node:assert/strict";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";

/** Hosts that make no URL. */
const hosts = ["x:99999", "x:y", "[", "%", "[::1"];

/** What curl makes of it: the answer's status, 000 where there was none. */
async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command("curl", {
    args: ["-sk", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", ...args],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** A call of gRPC, as curl's flags. */
const call = ["-X", "POST", "-H", "content-type: application/grpc", "--data-binary", "@/dev/null"];
const paths = ["grpc.health.v1.Health/Check", "AgentService/Connect?x", "ProxyService/Proxy/", "nobody"];

const ways: readonly (readonly [string, "grpc-uds" | "grpc-tls" | "connect-uds", readonly string[]])[] = [
  ["own HTTP/2", "grpc-tls", []],
  ["own HTTP/2, for strangers", "grpc-tls", ["--cluster-ca-cert=", "--allow-unauthenticated-agents"]],
  ["own HTTP/2 and workers", "grpc-uds", ["--workers=2"]],
  ["the runtime's HTTP/2", "grpc-uds", ["--http2=runtime"]],
  ["HTTP CONNECT", "connect-uds", []],
];

for (const [name, kind, serverFlags] of ways) {
  leakTest(`${name}: a host that makes no URL ends no process, at any port`, async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start(kind, { serverFlags });
    await using client = await launched.client();
    const open = new Conversation(await client.dial(echo.address));
    const { caCert, clientCert, clientKey } = launched.certificates;
    const tls = ["--cacert", caCert, "--cert", clientCert, "--key", clientKey];
    const { server, agent } = launched;
    for (const host of hosts) {
      const withHost = ["-H", `Host: ${host}`];
      for (const path of paths) {
        const shown = name.endsWith("strangers") ? ["-k"] : tls;
        const agents = await curl(
          "--http2",
          ...shown,
          ...call,
          ...withHost,
          `https://127.0.0.1:${server.agentPort}/${path}`,
        );
        assert.equal(agents, "400", `${host} at the agent port\n${launched.logs}`);
        if (kind === "connect-uds") continue;
        const where = launched.uds === ""
          ? ["--http2", ...tls, `https://127.0.0.1:${launched.port}/${path}`]
          : ["--http2-prior-knowledge", "--unix-socket", launched.uds, `http://localhost/${path}`];
        assert.equal(await curl(...call, ...withHost, ...where), "400", `${host} at the frontend\n${launched.logs}`);
      }
      if (kind === "connect-uds") {
        const refused = await curl("--unix-socket", launched.uds, ...withHost, "http://localhost/grpc");
        assert.ok(["400", "405"].includes(refused), `${refused} to ${host} at the frontend`);
      }
      for (const port of [server.healthPort, server.adminPort, agent.healthPort, agent.adminPort]) {
        for (const path of ["healthz", "metrics", "nobody", "debug/pprof/"]) {
          const status = await curl(...withHost, `http://127.0.0.1:${port}/${path}`);
          assert.notEqual(status, "500", `${host} at port ${port}, ${path}`);
        }
      }
      assert.equal(await open.ask("still there"), "still there", launched.logs);
    }
    for (const { healthPort, program } of [server, agent]) {
      assert.deepEqual(await httpGet(healthPort, "/readyz"), { status: 200, body: "ok" });
      assert.equal(program.status, undefined, launched.logs);
    }
    await open.tunnel.close();
  });
}
