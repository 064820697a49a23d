import assert from "node:assert/strict";
import type { AgentStatus } from "../../src/ops/status/agent_status.ts";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import type { FakeCall } from "../support/fakes/fake_kube_api.ts";
import { writeKubeconfig } from "../support/fakes/fake_kubeconfig.ts";
import { type FakeLeases, startFakeLeases } from "../support/fakes/fake_leases.ts";
import { Launched, type LaunchOptions } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

export async function statusOf<S extends ServerStatus | AgentStatus>(port: number): Promise<S> {
  const { status, body } = await httpGet(port, "/status");
  assert.equal(status, 200, body);
  return JSON.parse(body) as S;
}

/** A server that holds a lease and an agent that counts them, with an API that a test plays. */
export async function withLeases(
  run: (launched: Launched, world: FakeLeases) => Promise<void>,
  { serverFlags = [] }: LaunchOptions,
): Promise<void> {
  await using world = await startFakeLeases();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const kubeconfig = `--kubeconfig=${await writeKubeconfig(folder, world.api)}`;
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: ["--enable-lease-controller", kubeconfig, ...serverFlags],
      agentFlags: ["--count-server-leases", kubeconfig],
    });
    await run(launched, world);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Refuses the renewal of one lease, or of any. */
export function refuseRenewals(world: FakeLeases, name = ""): void {
  world.intercept = (call: FakeCall) => {
    if (call.method !== "PUT" || !call.path.endsWith(name)) return false;
    call.fail(403, "Forbidden", "leases is forbidden: User cannot update");
    return true;
  };
}
