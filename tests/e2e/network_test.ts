import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { NetworkNamespace } from "../support/processes/network_namespace.ts";
import { launcherOf, Program } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

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
  "IPv6 sockets that take no IPv4 (net.ipv6.bindv6only)": ["echo 1 > /proc/sys/net/ipv6/bindv6only", true],
  "IPv6 sockets that take IPv4": ["echo 0 > /proc/sys/net/ipv6/bindv6only", true],
  "no IPv6": ["echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6", false],
} as const;

for (const [what, [setup, ipv6]] of Object.entries(settings)) {
  for (const workers of [1, 2]) {
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

leakTest("a peer that vanished is probed every 15 s, as with Go", async () => {
  await using near = await NetworkNamespace.open();
  await using far = await NetworkNamespace.open();
  for (
    const command of [
      `ip link add near type veth peer name far netns ${far.pid}`,
      "ip addr add 10.9.0.1/24 dev near",
      "ip link set near up",
    ]
  ) assert.deepEqual(await near.run(...command.split(" ")), { ok: true, text: "" });
  for (const command of ["ip addr add 10.9.0.2/24 dev far", "ip link set far up"]) {
    assert.deepEqual(await far.run(...command.split(" ")), { ok: true, text: "" });
  }
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  const probes = new URL("../../src/runtime/keepalive_probes.ts", import.meta.url).href;
  await Deno.writeTextFile(
    `${folder}/server.ts`,
    `import { createServer } from "node:net";
     import { probeWhenSilent } from ${JSON.stringify(probes)};
     createServer((socket) => probeWhenSilent(socket.on("error", () => {}).resume()))
       .listen(7000, "10.9.0.1", () => console.log("listening"));`,
  );
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const server = new Program(
    "server",
    near.command(Deno.execPath(), "run", "-A", "-q", "--no-check", "--config", config, `${folder}/server.ts`),
  );
  const programs = [server];
  try {
    await until("it listens", () => server.log.includes("listening"));
    const client = new Program(
      "client",
      far.command("bash", "-c", "exec 3<>/dev/tcp/10.9.0.1/7000; echo open; exec sleep 180"),
    );
    programs.push(client);
    await until("the connection is open", () => client.log.includes("open"));
    await far.run("ip", "link", "set", "far", "down");
    // With the system's interval the third probe would come after 165 s.
    await until("it was probed three times", async () => {
      const { text } = await near.run("ss", "--no-header", "--tcp", "--numeric", "--options", "state", "established");
      return /timer:\(keepalive,[^,]+,[3-9]\)/.test(text);
    }, 120_000);
  } finally {
    for (const program of programs) await kill(program);
    await Deno.remove(folder, { recursive: true });
  }
});

/** More than the backlog that the runtime gives where none is asked for. */
const dialsAtOnce = 1_500;

for (const workers of [1, 2]) {
  leakTest(`${dialsAtOnce} dials at once on the Unix socket all succeed, ${workers} workers`, async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start("connect-uds", { serverFlags: [`--workers=${workers}`] });
    const failures: string[] = [];
    // All of them are made before the server takes the first one.
    launched.server.program.signal("SIGSTOP");
    const sockets: Socket[] = [];
    let answered = 0;
    try {
      const connected = Array.from({ length: dialsAtOnce }, () =>
        new Promise<void>((resolve) => {
          const socket = connect(launched.uds);
          sockets.push(socket);
          socket.on("error", (error) => failures.push(error.message));
          socket.on("close", () => resolve());
          socket.once("connect", () => {
            socket.write(`CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n\r\n`);
            resolve();
          });
          socket.once("data", (head) => {
            if (String(head).startsWith("HTTP/1.1 200 ")) answered++;
            else failures.push(String(head));
          });
        }));
      await Promise.all(connected);
    } finally {
      launched.server.program.signal("SIGCONT");
    }
    await until("all are answered", () => answered + failures.length >= dialsAtOnce);
    assert.deepEqual(failures, []);
    await Promise.all(sockets.map((socket) => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.destroy();
      return closed;
    }));
  });
}
