import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { Launched, type LaunchOptions } from "../support/processes/launched.ts";
import { httpGet, launcherOf } from "../support/processes/processes.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

/** How long a port may take until it accepts again, in milliseconds: listeners are woken every second. */
const recoverMs = 60_000;

/** A program that may have few files open. */
async function withLimit(role: "server" | "agent", limit: number): Promise<readonly string[]> {
  // The shell sets both limits, and its place is taken by the launcher.
  return ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh", ...await launcherOf(role)];
}

/** Opens connections that say nothing, more than the other side can hold. */
async function flood(open: () => Socket, count: number): Promise<Socket[]> {
  return await Promise.all(Array.from({ length: count }, () => {
    const socket = open();
    socket.on("error", () => {});
    socket.resume();
    // Accepted, waiting to be, or refused already.
    return new Promise<Socket>((resolve) => {
      for (const event of ["connect", "close"]) socket.once(event, () => resolve(socket));
    });
  }));
}

async function closeAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => {
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.destroy();
    return closed;
  }));
}

/** Shakes hands as an agent at an address of this machine would. */
async function handshake(
  port: number,
  localAddress: string,
  { caCert, clientCert, clientKey }: TestCertificateFiles,
): Promise<void> {
  const [ca, cert, key] = await Promise.all([caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)));
  await new Promise<void>((resolve, reject) => {
    // Taken by tls.connect as by net.connect, though its type does not say so.
    const from = { localAddress } as object;
    const socket = connectTls({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["h2"], ...from });
    socket.once("secureConnect", () => {
      socket.once("close", () => resolve());
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

/** Waits until an agent at an address is let in. */
async function admitted(port: number, address: string, certificates: TestCertificateFiles): Promise<void> {
  await until(`an agent at ${address} shakes hands`, async () => {
    try {
      await handshake(port, address, certificates);
      return true;
    } catch {
      return false;
    }
  }, recoverMs);
}

async function metric(port: number, name: string): Promise<number> {
  const { body } = await httpGet(port, "/metrics");
  const series = body.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  assert.notEqual(series.length, 0, `${name} is missing in ${body}`);
  return series.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const refusedByServer = "konnectivity_network_proxy_server_refused_connections_total";

/** Every port of both programs answers, and a tunnel can be opened. */
async function assertServes(launched: Launched, destination: string): Promise<void> {
  await until("a tunnel opens", async () => {
    try {
      await using client = await launched.client();
      await using tunnel = await client.dial(destination);
      return await new Conversation(tunnel).ask("hello") === "hello";
    } catch {
      return false;
    }
  }, recoverMs);
  for (const { healthPort, adminPort } of [launched.server, launched.agent]) {
    assert.deepEqual(await httpGet(healthPort, "/healthz"), { status: 200, body: "ok" });
    assert.notEqual((await httpGet(adminPort, "/metrics")).status, 0);
  }
}

/** A server whose ports are flooded lives, keeps its agent, and serves again. */
export async function floodsServer(kind: FrontendKind, options: LaunchOptions, limit: number): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind, { ...options, serverCommand: await withLimit("server", limit) });
  const { server } = launched;
  const tcp = (port: number) => () => connect(port, "127.0.0.1");
  const ports: Readonly<Record<string, () => Socket>> = {
    clients: launched.uds === "" ? tcp(launched.port) : () => connect(launched.uds),
    agents: tcp(server.agentPort),
    health: tcp(server.healthPort),
    admin: tcp(server.adminPort),
  };
  for (const [name, open] of Object.entries(ports)) {
    const strangers = await flood(open, 2 * limit);
    // Whoever comes from elsewhere is admitted meanwhile, and so is who shakes hands at the strangers' own address. While
    // they still come, there may be no descriptor for a moment.
    if (name === "agents") {
      for (const address of ["127.0.0.2", "127.0.0.1"]) {
        await admitted(server.agentPort, address, launched.certificates);
      }
      assert.ok(strangers.some((socket) => !socket.closed), "the flood is still there");
    }
    // What is true of a flooded server: it answers probes, and shows what it is short of.
    const probe = await httpGet(server.healthPort, "/healthz");
    assert.equal(probe.status, 200, `${name}: ${JSON.stringify(probe)}\n${launched.logs}`);
    assert.ok(await metric(server.healthPort, refusedByServer) > 0, name);
    await closeAll(strangers);
    await assertServes(launched, echo.address);
    assert.equal((await httpGet(server.healthPort, "/readyz")).status, 200, `${name}: the agent's link was lost`);
  }
  assert.equal(await metric(server.healthPort, "process_max_fds"), limit);
  const open = await metric(server.healthPort, "process_open_fds");
  const real = (await Array.fromAsync(Deno.readDir(`/proc/${server.program.pid}/fd`))).length;
  assert.ok(Math.abs(open - real) <= 8, `process_open_fds is ${open}, and ${real} are open`);
  assert.equal(server.program.status, undefined, launched.logs);
}

/** A probe is answered in time while all ports are flooded at once. */
export async function probesFlooded(workers: number): Promise<void> {
  const serverCommand = await withLimit("server", 110);
  const serverFlags = [`--workers=${workers}`, "--server-id=flooded"];
  await using launched = await Launched.start("grpc-tls", { serverCommand, serverFlags });
  const { server } = launched;
  const ports = [launched.port, server.agentPort, server.healthPort, server.adminPort];
  const strangers = (await Promise.all(ports.map((port) => flood(() => connect(port, "127.0.0.1"), 300)))).flat();
  try {
    for (let probes = 0; probes < 3; probes++) {
      const asked = performance.now();
      assert.equal((await httpGet(server.healthPort, "/healthz")).status, 200);
      // Behind a flood of its port a probe waited for tens of seconds; kubelet's default is one.
      assert.ok(performance.now() - asked < 3_000, `${performance.now() - asked} ms`);
    }
  } finally {
    await closeAll(strangers);
  }
}

/** Tunnels beyond the agent's descriptors are refused with the reason, and its ports answer. */
export async function exceedsAgent(kind: FrontendKind): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind, { agentCommand: await withLimit("agent", 80) });
  const { agent } = launched;
  {
    await using open = new AsyncDisposableStack();
    let refusal: unknown;
    for (let dials = 0; dials < 80 && refusal === undefined; dials++) {
      const client = open.use(await launched.client());
      try {
        open.use(await client.dial(echo.address));
      } catch (error) {
        refusal = error;
      }
    }
    assert.match(String(refusal), /too many open files/);
    // The probe does not take the last descriptor, and the agent says what is true.
    for (let probes = 0; probes < 5; probes++) {
      assert.deepEqual(await httpGet(agent.healthPort, "/healthz"), { status: 200, body: "ok" });
      assert.deepEqual(await httpGet(agent.healthPort, "/readyz"), { status: 200, body: "ok" });
    }
    assert.ok(await metric(agent.healthPort, "konnectivity_network_proxy_agent_refused_connections_total") > 0);
    for (const port of [agent.healthPort, agent.adminPort]) {
      const strangers = await flood(() => connect(port, "127.0.0.1"), 160);
      assert.equal((await httpGet(agent.healthPort, "/healthz")).status, 200);
      await closeAll(strangers);
    }
  }
  await assertServes(launched, echo.address);
  assert.equal(agent.program.status, undefined, launched.logs);
}
