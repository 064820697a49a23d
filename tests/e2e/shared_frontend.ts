import assert from "node:assert/strict";
import type { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";
import {
  connections,
  metricPrefix,
  metrics,
  openTunnels,
  tunnelsOfWorkers,
  withWorkers,
  workers,
} from "../support/processes/workers.ts";

/** Workers share the frontend, and the agent has a link to each. */
export async function sharesFrontend(kind: FrontendKind): Promise<void> {
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
  assert.match(body, new RegExp(`^${metricPrefix}established_connections ${tunnels.length}$`, "m"));
}
