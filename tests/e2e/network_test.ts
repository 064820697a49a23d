import assert from "node:assert/strict";
import { serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { NetworkNamespace } from "../support/processes/network_namespace.ts";
import { launcherOf, Program } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { dialsAtOnce, dialsManyAtOnce } from "./dials_at_once.ts";

/** Ports within a network of their own, which nobody else has. */
const ports = { client: 8090, agent: 8091, health: 8092, admin: 8095 };

/** Runs a server that listens at every address. */
async function withServer(
  network: NetworkNamespace,
  extra: readonly string[],
  use: (program: Program) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const flags = serverFlagsOf("grpc-tls", { certificates, uds: "", port: ports.client })
      .filter((flag) => !flag.startsWith("--server-bind-address"));
    await use(
      new Program(
        "server",
        network.command(...await launcherOf("server"), ...flags, "--admin-bind-address=", ...extra),
      ),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function kill(program: Program): Promise<void> {
  program.signal("SIGKILL");
  await program.ended;
  await program.stop();
}

const settings = {
  "IPv6 sockets that take no IPv4 (net.ipv6.bindv6only)": ["echo 1 > /proc/sys/net/ipv6/bindv6only", true, 1],
  "IPv6 sockets that take IPv4": ["echo 0 > /proc/sys/net/ipv6/bindv6only", true, 2],
  "no IPv6": ["echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6", false, 1],
} as const;

for (const [what, [setup, ipv6, workers]] of Object.entries(settings)) {
  leakTest(`every port takes both families on a machine with ${what}, ${workers} workers`, async () => {
    await using network = await NetworkNamespace.open(setup);
    await withServer(network, [`--workers=${workers}`], async (server) => {
      await using _server = server;
      for (const port of Object.values(ports)) {
        await network.accepts("127.0.0.1", port);
        if (ipv6) await network.accepts("::1", port);
      }
      const { text } = await network.run("curl", "-s", "-4", `http://localhost:${ports.health}/healthz`);
      assert.equal(text, "ok");
    });
  });
}

leakTest("a port that somebody else has for one family alone is an error", async () => {
  await using network = await NetworkNamespace.open("echo 1 > /proc/sys/net/ipv6/bindv6only");
  const script = `
    const listener = Deno.listen({ hostname: Deno.args[0], port: ${ports.agent} });
    console.log("listening");
    await listener.accept();
  `;
  for (const host of ["0.0.0.0", "::"]) {
    const stranger = new Program("stranger", network.command(Deno.execPath(), "eval", script, host));
    await until("the stranger listens", () => stranger.log.includes("listening"));
    await withServer(network, [], async (server) => {
      assert.equal((await server.ended).code, 1);
      await server.stop();
      assert.match(server.log, /cannot listen on :8091: address already in use/);
    });
    await kill(stranger);
  }
});

leakTest("the system probes the connections of every port when they are silent, and lets 4096 wait", async () => {
  await using network = await NetworkNamespace.open();
  await withServer(network, [], async (server) => {
    await using _server = server;
    for (const port of Object.values(ports)) await network.accepts("127.0.0.1", port);
    const silent = Object.values(ports).map((port, at) => `exec ${3 + at}<>/dev/tcp/127.0.0.1/${port}`).join("; ");
    const client = new Program("client", network.command("bash", "-c", `${silent}; echo open; exec sleep 60`));
    await until("the connections are open", () => client.log.includes("open"));
    for (const [name, port] of Object.entries(ports)) {
      // A connection is there for its client before the server has accepted it.
      await until(`the ${name} connection is probed`, async () => {
        const listed = ["--no-header", "--tcp", "--numeric", "--options", "state", "established"];
        const { text } = await network.run("ss", ...listed);
        const line = text.split("\n").find((each) => new RegExp(`127\\.0\\.0\\.1\\]?:${port} +\\S+:\\d+ `).test(each));
        return /timer:\(keepalive,1[0-9]/.test(line ?? "");
      });
    }
    await kill(client);
    const listening = (await network.run("ss", "--no-header", "--tcp", "--numeric", "--listening")).text;
    const bound = Number(await Deno.readTextFile("/proc/sys/net/core/somaxconn"));
    for (const [name, port] of Object.entries(ports)) {
      const line = listening.split("\n").find((each) => each.includes(`:${port} `));
      assert.equal(line?.split(/\s+/)[2], String(Math.min(4096, bound)), `${name} in\n${listening}`);
    }
  });
});

leakTest(`${dialsAtOnce} dials at once on the Unix socket all succeed, 1 workers`, () => dialsManyAtOnce(1));
