import type { ServerCounter } from "../../agent/servers/server_count.ts";
import type { AgentLeaseReport } from "../../ops/status/lease_status.ts";
import { KubeClient } from "../../kube/client/kube_client.ts";
import { LeaseCounter } from "../../kube/leases/lease_counter.ts";
import { LeasesApi } from "../../kube/leases/leases_api.ts";
import type { AgentLeaseEvents } from "../../metrics/kube_events.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AgentOptions } from "./agent_options.ts";
import { kubeAccess } from "../kube_config.ts";
import { version } from "../version.ts";

/** Servers counted by their leases, until disposed. */
export interface RunningCounter extends AsyncDisposable {
  readonly counter: ServerCounter;
  /** For the status. */
  report(): AgentLeaseReport;
}

/**
 * Begins to count servers by their leases. It does not wait for the Kubernetes API: until the API has answered, no lease is
 * known, and links are made as if there were one server.
 * @throws {KubeConfigError} when it is not known how to reach the API
 */
export async function countLeases(
  options: AgentOptions,
  events: AgentLeaseEvents,
  clock: Clock,
): Promise<RunningCounter> {
  const access = await kubeAccess(options.kubeconfig, clock);
  const client = new KubeClient(access, { userAgent: `proxy-agent/${version}`, clock });
  const counter = new LeaseCounter({
    api: new LeasesApi(client),
    scope: { namespace: options.leaseNamespace, labelSelector: options.leaseLabelSelector },
    events,
    clock,
  });
  counter.start();
  return {
    counter,
    report: () => counter.report(),
    async [Symbol.asyncDispose]() {
      await counter.stop();
      client[Symbol.dispose]();
    },
  };
}
