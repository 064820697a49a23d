/**
 * Faults of a network, on a machine of its own whose packets a filter loses: `network_test.ts` starts it in a network
 * namespace with nothing but loopback. Its argument is one of {@link scenarios}; it ends with 0 where the promise is kept.
 * @module
 */
import assert from "node:assert/strict";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { patternBytes, sourceDestination } from "../../support/in_process/destinations.ts";
import { metric } from "../../support/processes/fleet.ts";
import { httpGet } from "../../support/processes/processes.ts";
import { FaultWorld } from "./fault_world.ts";

const transferBytes = 2 * 1024 * 1024;
/** So that a path without an answer is given up within seconds. */
const impatient = ["--keepalive-time=1s"];
/** An address of this machine at which nobody answers once it is cut. */
const deadAddress = "127.0.0.66";

async function nft(command: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nft", { args: [command], stdin: "null" }).output();
  assert.ok(success, `nft ${command}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Drops packets that fit, without a word to whoever sent them. @returns what passes them again */
async function drops(...match: readonly string[]): Promise<() => Promise<void>> {
  await nft("add table inet fault");
  await nft("add chain inet fault input { type filter hook input priority 0; }");
  for (const each of match) await nft(`add rule inet fault input ${each} counter drop`);
  return async () => {
    assert.match(await nft("list table inet fault"), /packets [1-9]\d* bytes \d+ drop/, "no packet was dropped");
    await nft("delete table inet fault");
  };
}

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  async loss() {
    await using world = await FaultWorld.start("connect-uds");
    const { agentPort } = world.launched.server;
    await using source = await sourceDestination();
    await using client = await world.launched.client();
    const loses = "numgen random mod 100 < 3";
    const passes = await drops(
      ...["sport", "dport"].flatMap((side) => [agentPort, source.port].map((port) => `tcp ${side} ${port} ${loses}`)),
    );
    await using tunnel = await client.dial(source.address);
    const writer = tunnel.writable.getWriter();
    await writer.write(new TextEncoder().encode(`${transferBytes}\n`));
    const bytes = await new Response(tunnel.readable).bytes();
    assert.ok(patternBytes(transferBytes).equals(bytes), "other bytes than those that were sent");
    await writer.close();
    await world.goesOn();
    await passes();
    await world.end();
  },

  async cut() {
    await using world = await FaultWorld.start("connect-uds", { serverFlags: impatient, agentFlags: impatient });
    const { server, agent } = world.launched;
    await using client = await world.launched.client();
    const open = new Conversation(await client.dial(world.echo.address));
    assert.equal(await open.ask("before"), "before");
    const over = world.excuse("the path between server and agent is cut");
    const passes = await drops(`tcp sport ${server.agentPort}`, `tcp dport ${server.agentPort}`);
    await until(
      "the server knows",
      async () => await metric(server.healthPort, "server_ready_backend_connections") === 0,
    );
    await until("the agent knows", async () => (await httpGet(agent.healthPort, "/readyz")).status !== 200);
    await open.end();
    await assert.rejects(client.dial(world.echo.address), { code: "no-agent" });
    await passes();
    await world.launched.ready();
    over();
    await world.end();
  },

  async server() {
    const passes = await drops(`ip daddr ${deadAddress}`);
    await using world = await FaultWorld.start("grpc-uds", {
      agentFlags: [`--proxy-server-host=${deadAddress},127.0.0.1`],
    });
    await world.goesOn();
    await world.end();
    await passes();
  },

  async destination() {
    await using world = await FaultWorld.start("grpc-uds", { serverFlags: ["--backend-dial-timeout=3s"] });
    const passes = await drops(`ip daddr ${deadAddress}`);
    await using client = await world.launched.client();
    const dials = Array.from({ length: 50 }, () => client.dial(`${deadAddress}:80`));
    for (const dial of dials) dial.catch(() => {});
    await world.goesOn();
    for (const dial of dials) await assert.rejects(dial, /timeout|timed out|deadline/);
    await world.end();
    await passes();
  },
};

if (import.meta.main) {
  const scenario = scenarios[Deno.args[0] ?? ""];
  if (scenario === undefined) throw new Error(`no scenario ${Deno.args[0]}`);
  await scenario();
  Deno.exit(0);
}
