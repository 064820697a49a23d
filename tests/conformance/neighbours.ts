import assert from "node:assert/strict";
import { PacketType } from "../../gen/client/client_pb.ts";
import { until } from "../support/assert/until.ts";
import type { Listener } from "./raw_connect.ts";
import { closeRequest, dialRequest, RawCall } from "./raw_grpc.ts";
import { assertNoTunnelLeft, logsOf, type Topology } from "./topology.ts";

/** Another client's tunnel on the same server and agent, and the proof that it works on. */
export async function withNeighbour(topology: Topology, body: (stillWorks: () => Promise<void>) => Promise<void>) {
  await using neighbour = await RawCall.open(topology);
  const id = await neighbour.dial(topology.destinations.echo.address);
  let round = 0;
  try {
    await body(async () => {
      const text = `the neighbour's exchange ${++round}`;
      assert.equal(await neighbour.exchange(id, text), text);
    });
    assert.deepEqual(neighbour.packets, [], "the neighbour got packets that are not its own");
    neighbour.send(closeRequest(id));
    const { payload } = await neighbour.next(PacketType.CLOSE_RSP);
    assert(payload.case === "closeResponse");
    assert.equal(payload.value.error, "");
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${logsOf(topology)}`, { cause: error });
  }
}

/** A new client is served, and both processes are the ones that were started. */
export async function assertServes(topology: Topology): Promise<void> {
  await until("a new tunnel works", async () => {
    await using call = await RawCall.open(topology);
    // Until the server has noticed that a hostile agent left, that one may be asked.
    const id = await call.dial(topology.destinations.echo.address).catch(() => undefined);
    return id !== undefined && await call.exchange(id, "hello") === "hello";
  });
  for (const program of [topology.server.program, topology.agent?.program]) {
    assert.equal(program?.status, undefined, program?.tail());
  }
}

/** Becomes an agent of the server, for as long as it behaves. */
export async function openAgent(topology: Topology): Promise<RawCall> {
  const agent = await RawCall.open(agentListener(topology), "/AgentService/Connect", {
    agentid: "hostile",
    agentidentifiers: "",
  });
  assert.notEqual((await agent.headers())["serverid"], undefined);
  return agent;
}

export function agentListener({ server, certificates }: Topology): Listener {
  return { uds: "", port: server.agentPort, certificates };
}

/** Peers that vanish in the middle of anything harm nobody else. */
export async function vanish(topology: Topology, times: number): Promise<void> {
  await withNeighbour(topology, async (stillWorks) => {
    let count = 0;
    const some = async () => {
      while (count < times) {
        const number = count++;
        await using call = number % 4 === 0 ? await openAgent(topology) : await RawCall.open(topology);
        if (number % 4 > 1) call.send(dialRequest(topology.destinations.echo.address, BigInt(number)));
        if (number % 3 === 0) call.end();
        if (number % 5 === 0) call.reset();
      }
    };
    await Promise.all(Array.from({ length: 8 }, some));
    await stillWorks();
  });
  await assertServes(topology);
  await assertNoTunnelLeft(topology);
}
