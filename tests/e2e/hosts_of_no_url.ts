import assert from "node:assert/strict";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

/** Hosts that make no URL. */
const hosts = ["x:99999", "x:y", "[", "%", "[::1"];

/** What curl makes of some addresses, asked one after another: the status of each answer, 000 where there was none. */
async function curl(urls: readonly string[], ...args: readonly string[]): Promise<string[]> {
  const { stdout } = await new Deno.Command("curl", {
    args: [
      "-sk",
      "--max-time",
      "60",
      "-w",
      "%{http_code}\n",
      ...args,
      ...urls.flatMap((url) => ["-o", "/dev/null", url]),
    ],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** A call of gRPC, as curl's flags. */
const call = ["-X", "POST", "-H", "content-type: application/grpc", "--data-binary", "@/dev/null"];
const paths = ["grpc.health.v1.Health/Check", "AgentService/Connect?x", "ProxyService/Proxy/", "nobody"];

/** What is asked, by its name, and how its server is started. */
export type Way = readonly [name: string, kind: "grpc-uds" | "grpc-tls" | "connect-uds", flags: readonly string[]];

/** A host that makes no URL ends no process, at any port. */
export async function outlivesHosts([name, kind, serverFlags]: Way): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind, { serverFlags });
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  const { caCert, clientCert, clientKey } = launched.certificates;
  const tls = ["--cacert", caCert, "--cert", clientCert, "--key", clientKey];
  const { server, agent } = launched;
  for (const host of hosts) {
    const withHost = ["-H", `Host: ${host}`];
    const refused = paths.map(() => "400");
    const at = (base: string) => paths.map((path) => `${base}/${path}`);
    const shown = name.endsWith("strangers") ? ["-k"] : tls;
    const agents = await curl(at(`https://127.0.0.1:${server.agentPort}`), "--http2", ...shown, ...call, ...withHost);
    assert.deepEqual(agents, refused, `${host} at the agent port\n${launched.logs}`);
    if (kind === "connect-uds") {
      const [status = ""] = await curl(["http://localhost/grpc"], "--unix-socket", launched.uds, ...withHost);
      assert.ok(["400", "405"].includes(status), `${status} to ${host} at the frontend`);
    } else {
      // This curl fails to ask twice over one connection of HTTP/2 without TLS.
      const clients = launched.uds === ""
        ? await curl(at(`https://127.0.0.1:${launched.port}`), "--http2", ...tls, ...call, ...withHost)
        : (await Promise.all(
          at("http://localhost").map((url) =>
            curl([url], "--http2-prior-knowledge", "--unix-socket", launched.uds, ...call, ...withHost)
          ),
        )).flat();
      assert.deepEqual(clients, refused, `${host} at the frontend\n${launched.logs}`);
    }
    const pages = [server.healthPort, server.adminPort, agent.healthPort, agent.adminPort].flatMap((port) =>
      ["healthz", "metrics", "nobody", "debug/pprof/"].map((path) => `http://127.0.0.1:${port}/${path}`)
    );
    const answers = await curl(pages, ...withHost);
    assert.equal(answers.length, pages.length);
    assert.ok(!answers.includes("500"), `${host}: ${answers.join()} at ${pages.join()}`);
    assert.equal(await open.ask("still there"), "still there", launched.logs);
  }
  for (const { healthPort, program } of [server, agent]) {
    assert.deepEqual(await httpGet(healthPort, "/readyz"), { status: 200, body: "ok" });
    assert.equal(program.status, undefined, launched.logs);
  }
  await open.tunnel.close();
}
