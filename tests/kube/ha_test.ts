import assert from "node:assert/strict";
import type { Tunnel } from "../../src/client/tunnel.ts";
import type { AgentStatus } from "../../src/ops/status/agent_status.ts";
import type { Destination } from "../support/in_process/destinations.ts";
import { httpGet, startAgent } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { agentAudience } from "./cluster.ts";
import { agentMetric, HaFleet, type HaServer, metric, namespace } from "./ha_fleet.ts";
import { clusterTests } from "./kube_test_case.ts";

const { test } = await clusterTests();

/** How long a dead server's lease may last, and be collected after that, on a busy machine. */
const leaseEndMs = 120_000;

/** A tunnel to the echo, which shows that it lives by what comes back. */
class EchoTunnel implements AsyncDisposable {
  readonly #tunnel: Tunnel;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #said = 0;

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
    this.#writer = tunnel.writable.getWriter();
    this.#reader = tunnel.readable.getReader();
  }

  static async through({ client }: HaServer, to: Destination): Promise<EchoTunnel> {
    return new EchoTunnel(await client.dial(to.address));
  }

  /** Sends a line and reads it back. @throws when the tunnel is lost */
  async ping(): Promise<void> {
    const line = `line ${++this.#said}\n`;
    await this.#writer.write(new TextEncoder().encode(line));
    let text = "";
    while (text.length < line.length) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`the tunnel ended at line ${this.#said}`);
      text += new TextDecoder().decode(value);
    }
    assert.equal(text, line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tunnel[Symbol.asyncDispose]();
  }
}

async function dialThrough(fleet: HaFleet, id: string): Promise<void> {
  await using tunnel = await EchoTunnel.through(fleet.server(id), fleet.echo);
  await tunnel.ping();
}

test("three servers with leases and agents that count them: joined, killed, scaled up and down; nothing is lost but the killed server's tunnels", async (cluster) => {
  await using fleet = await HaFleet.open(cluster);
  await fleet.addServer("s1");
  await fleet.addAgent();
  await fleet.addAgent();
  await fleet.agentsHave(1);

  // Scaled up: agents learn it from the leases' watch, not from a new list.
  await fleet.addServer("s2");
  await fleet.addServer("s3");
  await fleet.agentsHave(3);
  for (const agent of fleet.agents) assert.equal(await metric(agent, `${agentMetric}_lease_lists_total`), 1);
  assert.deepEqual((await fleet.leases()).sort(), ["s1", "s2", "s3"]);
  for (const { adminPort } of fleet.agents) {
    const { leases } = JSON.parse((await httpGet(adminPort, "/status")).body) as AgentStatus;
    assert.deepEqual([leases?.count, leases?.linked, leases?.withoutLease, leases?.followed], [3, 3, [], true]);
  }

  const first = await EchoTunnel.through(fleet.server("s1"), fleet.echo);
  const second = await EchoTunnel.through(fleet.server("s2"), fleet.echo);
  const third = await EchoTunnel.through(fleet.server("s3"), fleet.echo);
  for (const tunnel of [first, second, third]) await tunnel.ping();

  // Killed without a word: its tunnels are lost, and no others.
  const { program } = fleet.server("s2").process;
  program.signal("SIGKILL");
  await program.ended;
  await assert.rejects(second.ping());
  await fleet.forget("s2");
  let done = false;
  const others = (async () => {
    while (!done) {
      await Promise.all([first.ping(), third.ping(), dialThrough(fleet, "s1"), dialThrough(fleet, "s3")]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  // The lease ends by itself, and the other servers collect it.
  await Promise.race([fleet.agentsHave(2, leaseEndMs), others]);
  await Promise.race([
    until("the lease is collected", async () => !(await fleet.leases()).includes("s2"), leaseEndMs),
    others,
  ]);
  done = true;
  await others;

  // One more takes its place.
  await fleet.addServer("s4");
  await fleet.agentsHave(3);
  await dialThrough(fleet, "s4");

  // Scaled down in order: the lease goes at once, the tunnel runs on until it ends.
  const stopping = fleet.server("s3").process.stop();
  await until("the lease is gone", async () => !(await fleet.leases()).includes("s3"));
  await until(
    "agents know it",
    async () => await metric(fleet.agents[0] ?? assert.fail(), `${agentMetric}_known_server_count`) === 2,
  );
  for (let at = 0; at < 20; at++) await Promise.all([first.ping(), third.ping()]);
  await third[Symbol.asyncDispose]();
  const { code, signals } = await stopping;
  assert.equal(code, 0);
  assert.equal(signals, 1);
  await fleet.forget("s3");
  await fleet.agentsHave(2);

  // The API away for a while: everything runs on, and a server that comes afterwards is joined.
  await cluster.stopApi();
  await first.ping();
  for (const id of ["s1", "s4"]) await dialThrough(fleet, id);
  await cluster.startApi();
  await fleet.addServer("s5");
  await fleet.agentsHave(3, leaseEndMs);
  await first.ping();
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]().catch(() => {});
  for (const id of ["s1", "s4", "s5"]) await dialThrough(fleet, id);
});

test("[server W23] agents with a token of another account, or for another audience, are refused by a real server, which says why", async (cluster) => {
  await using fleet = await HaFleet.open(cluster);
  await fleet.addServer("t1");
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "other", namespace } });
  const { process } = fleet.server("t1");
  const folder = await Deno.makeTempDir();
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const refused: readonly (readonly [string, string, string, RegExp])[] = [
    ["other", agentAudience, "permission_denied", /incoming request from "other" service account/],
    ["konnectivity-agent", "https://kubernetes", "unauthenticated", /service account jwt not valid|token audiences/],
  ];
  for (const [account, audience, code, expected] of refused) {
    await Deno.writeTextFile(`${folder}/token`, await cluster.createToken(namespace, account, audience));
    await using agent = await startAgent([
      `--ca-cert=${certificates.caCert}`,
      `--service-account-token-path=${folder}/token`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${process.agentPort}`,
      "--sync-interval=100ms",
    ]);
    await until("the agent says why it is refused", () => expected.test(agent.program.log));
    assert.ok(agent.program.log.includes(`[${code}]`), agent.program.log);
    await until("the server says so, too", () => expected.test(process.program.log));
    assert.doesNotMatch(agent.program.log, /expected "konnectivity-agent"|eyJ/);
    assert.doesNotMatch(process.program.log, /eyJ/);
    // A token that becomes good is let in: it is read again at each attempt.
    if (account === "other") continue;
    await Deno.writeTextFile(
      `${folder}/token`,
      await cluster.createToken(namespace, "konnectivity-agent", agentAudience),
    );
    await agent.ready();
  }
  assert.match(process.program.log, /expected "konnectivity-agent"/);
  await Deno.remove(folder, { recursive: true });
});
