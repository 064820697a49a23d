import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ProxyError } from "../../src/client/mod.ts";
import { build } from "../../tools/build.ts";
import { type FakeLeases, startFakeLeases } from "../support/fake_leases.ts";
import { Conversation } from "../support/conversation.ts";
import { echoDestination } from "../support/destinations.ts";
import { Launched, type LaunchOptions } from "../support/launched.ts";
import { leakTest } from "../support/leak_free.ts";
import { processesWith } from "../support/process_list.ts";
import { httpGet } from "../support/processes.ts";
import type { FrontendKind } from "../support/stack.ts";
import { until } from "../support/until.ts";

const prefix = "konnectivity_network_proxy_server_";
const workers = 2;

/** Enough for no worker to be left out by chance. */
const connections = 64;

/** A server's metrics by name and labels, without their common beginning. */
async function metrics({ server }: Launched): Promise<Map<string, number>> {
  const { status, body } = await httpGet(server.healthPort, "/metrics");
  assert.equal(status, 200, body);
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space).replace(prefix, ""), Number(line.slice(space + 1))];
  }));
}

async function tunnelsOfWorkers(launched: Launched): Promise<number[]> {
  const all = await metrics(launched);
  return Array.from({ length: workers }, (_, worker) => all.get(`worker_tunnels{worker="${worker}"}`) ?? -1);
}

function withWorkers(options: LaunchOptions = {}): LaunchOptions {
  return { ...options, serverFlags: [`--workers=${workers}`, "--server-id=many", ...options.serverFlags ?? []] };
}

async function readiness({ server }: Launched): Promise<string> {
  return (await httpGet(server.healthPort, "/readyz")).body;
}

/** Opens tunnels, each over a connection of its own. */
async function openTunnels(launched: Launched, count: number, address: string, open: AsyncDisposableStack) {
  return await Promise.all(Array.from({ length: count }, async () => {
    const client = open.use(await launched.client());
    return new Conversation(open.use(await client.dial(address)));
  }));
}

function kubeconfigOf({ api }: FakeLeases) {
  const { ca, client } = api.certificates;
  const data = (pem: string) => btoa(pem);
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: api.url, "certificate-authority-data": data(ca.certPem) } }],
    users: [{
      name: "u",
      user: { "client-certificate-data": data(client.certPem), "client-key-data": data(client.keyPem) },
    }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
}

for (const kind of ["grpc-tls", "connect-tls", "grpc-uds", "connect-uds"] as const satisfies readonly FrontendKind[]) {
  leakTest(`${kind}: workers share the frontend, and the agent has a link to each`, async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start(kind, withWorkers());
    // Ready means that each worker has an agent.
    for (const id of ["many", "many-worker-1"]) {
      await until(
        `the agent tells of ${id}`,
        () => launched.agent.program.log.includes(`connected to server ${id} at `),
      );
    }
    await using open = new AsyncDisposableStack();
    const tunnels: Conversation[] = [];
    // A port's connections are dealt out; a socket's are taken by whichever worker has time for them.
    await until("every worker has tunnels", async () => {
      tunnels.push(...await openTunnels(launched, connections, echo.address, open));
      const counts = await tunnelsOfWorkers(launched);
      assert.equal(counts.reduce((sum, count) => sum + count), tunnels.length);
      return counts.every((count) => count > 0);
    });
    for (const [at, tunnel] of tunnels.entries()) assert.equal(await tunnel.ask(`hello ${at}`), `hello ${at}`);
    const all = await metrics(launched);
    assert.equal(all.get("established_connections"), tunnels.length);
    assert.equal(all.get("dial_duration_seconds_count"), tunnels.length);
    assert.equal(all.get('dial_duration_seconds_bucket{le="+Inf"}'), tunnels.length);
    assert.equal(all.get('stream_packets_total{packet_type="DIAL_REQ",segment="to_agent"}'), tunnels.length);
    // Attempts that led to a worker which had a link already may not be over yet.
    assert.ok((all.get('grpc_connections{service_method="Connect"}') ?? 0) >= workers);
    assert.equal(all.get("ready_backend_connections"), 1, "there is one agent");
    assert.ok((all.get("process_resident_memory_bytes") ?? 0) > 0);
    const { body } = await httpGet(launched.server.adminPort, "/metrics");
    assert.match(body, new RegExp(`^${prefix}established_connections ${tunnels.length}$`, "m"));
  });
}

for (const kind of ["grpc-tls", "connect-uds"] as const) {
  leakTest(`${kind}: SIGTERM drains every worker, and the command ends with 0 and leaves nothing`, async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start(
      kind,
      withWorkers({ serverFlags: ["--graceful-shutdown-timeout=1h"] }),
    );
    await using client = await launched.client();
    await using open = new AsyncDisposableStack();
    const tunnels = await openTunnels(launched, connections, echo.address, open);
    launched.server.program.signal("SIGTERM");
    await until("it is not ready", async () => await readiness(launched) === "proxy server is shutting down");
    await assert.rejects(client.dial(echo.address), ProxyError);
    for (const tunnel of tunnels) assert.equal(await tunnel.ask("after"), "after");
    assert.equal(launched.server.program.status, undefined, launched.logs);
    await Promise.all(tunnels.map(({ tunnel }) => tunnel.close()));
    assert.equal(await launched.end(launched.server), 0, launched.logs);
    assert.match(launched.server.program.log, /waiting for \d+ tunnels, 3600000 ms at most worker="\d"/);
    if (launched.uds !== "") await assert.rejects(Deno.lstat(launched.uds), Deno.errors.NotFound);
    // Its ports are free for the next at once.
    await launched.startServer();
    await launched.ready();
    await using again = await launched.client();
    const next = new Conversation(open.use(await again.dial(echo.address)));
    assert.equal(await next.ask("hello again"), "hello again");
    assert.equal((await processesWith(launched.folder)).length, 2, "the new server and the agent");
  });
}

leakTest("a second signal ends a server with workers at once, with 1 and whatever is open", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start(
    "grpc-uds",
    withWorkers({ serverFlags: ["--graceful-shutdown-timeout=1h"] }),
  );
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  launched.server.program.signal("SIGTERM");
  await until("it is not ready", async () => await readiness(launched) === "proxy server is shutting down");
  launched.server.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.server), 1, launched.logs);
  await open.end();
});

leakTest(
  "a server with workers is not ready while one of them has no agent, and its log names the worker",
  async () => {
    await using launched = await Launched.start("connect-uds", withWorkers());
    await launched.kill(launched.agent);
    await until(
      "it says so",
      async () => /^worker \d: no connection to any proxy agent$/.test(await readiness(launched)),
    );
    await launched.startAgent();
    await launched.ready();
    assert.equal((await httpGet(launched.server.healthPort, "/healthz")).body, "ok");
    assert.match(launched.server.program.log, /agents\] agent \S+ disconnected, 0 connected .*worker="1"/);
  },
);

leakTest("every worker has a lease, agents count them, and the command gives them up at its end", async () => {
  await using leases = await startFakeLeases();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const kubeconfig = `${folder}/kubeconfig`;
    await Deno.writeTextFile(kubeconfig, JSON.stringify(kubeconfigOf(leases)));
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: ["--workers=3", "--server-id=many", "--enable-lease-controller", `--kubeconfig=${kubeconfig}`],
      agentFlags: ["--count-server-leases", `--kubeconfig=${kubeconfig}`],
    });
    const names = ["many", "many-worker-1", "many-worker-2"].map((id) => `konnectivity-proxy-server-${id}`);
    await until("each has its lease", () => leases.names.join() === names.join());
    await until("the agent has counted them", () => launched.agent.program.log.includes("3 of 3 links"));
    launched.server.program.signal("SIGTERM");
    assert.equal(await launched.end(launched.server), 0, launched.logs);
    assert.deepEqual(leases.names, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("workers write one log file, and each line says whose it is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const path = `${folder}/server.log`;
    await using _launched = await Launched.start(
      "connect-uds",
      withWorkers({ serverFlags: ["--logtostderr=false", `--log-file=${path}`, "--logging-format=json"] }),
    );
    let text = "";
    await until("both have logged", async () => {
      text = await Deno.readTextFile(path);
      return ["many runs", "many-worker-1 runs"].every((words) => text.includes(words));
    });
    const whole = text.slice(0, text.lastIndexOf("\n")).split("\n");
    const lines = whole.map((line): Record<string, unknown> => JSON.parse(line));
    const runs = lines.filter(({ msg }) => /^proxy server \S+ runs$/.test(String(msg)));
    assert.deepEqual(runs.map(({ worker, serverId }) => [worker, serverId]).sort(), [[0, "many"], [
      1,
      "many-worker-1",
    ]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("over the runtime's HTTP/2 workers share a Unix socket too", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-uds", withWorkers({ serverFlags: ["--http2=runtime"] }));
  await using open = new AsyncDisposableStack();
  const tunnels = await openTunnels(launched, connections, echo.address, open);
  for (const tunnel of tunnels) assert.equal(await tunnel.ask("hello"), "hello");
});

leakTest("a port that is in use is an error, also where its user would share it", async () => {
  await using launched = await Launched.start("connect-tls", withWorkers());
  await assert.rejects(
    Launched.start("connect-uds", withWorkers({ serverFlags: [`--agent-port=${launched.server.agentPort}`] })),
    /failed to run the proxy server: cannot listen on 127.0.0.1:\d+: address already in use/,
  );
});

leakTest("a worker that ends takes the command with it, with 1 and the reason", async () => {
  const entry = fileURLToPath(new URL("../support/mortal_server.ts", import.meta.url));
  const command = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", entry, "server"];
  await using launched = await Launched.start("connect-uds", { ...withWorkers(), serverCommand: command });
  await using echo = await echoDestination();
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  await Deno.writeTextFile(`${launched.uds}.death`, "");
  assert.equal(await launched.end(launched.server), 1, launched.logs);
  assert.match(launched.server.program.log, /failed to run the proxy server: worker \d ended: Uncaught Error: it dies/);
  await open.end();
});

leakTest("the built launcher runs workers too", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-build-" });
  try {
    assert.equal(await build(folder), 0);
    await using echo = await echoDestination();
    await using launched = await Launched.start("grpc-tls", {
      ...withWorkers(),
      serverCommand: [`${folder}/bin/proxy-server`],
    });
    await using open = new AsyncDisposableStack();
    const tunnels = await openTunnels(launched, connections, echo.address, open);
    for (const tunnel of tunnels) assert.equal(await tunnel.ask("hello"), "hello");
    assert.ok((await tunnelsOfWorkers(launched)).every((count) => count > 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
