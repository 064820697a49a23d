import { KubeClient, type KubeClientOptions } from "../../kube/client/kube_client.ts";
import type { ServerLeaseReport } from "../../ops/status/lease_status.ts";
import { LeaseCollector, selectorOf } from "../../kube/leases/lease_collector.ts";
import { LeaseController, leaseName } from "../../kube/leases/lease_controller.ts";
import { LeasesApi } from "../../kube/leases/leases_api.ts";
import { createTokenAuthenticator } from "../../kube/tokens/token_authenticator.ts";
import type { ServerLeaseEvents, TokenEvents } from "../../metrics/kube_events.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Authenticate } from "../../server/agents/agent_service.ts";
import { kubeAccess } from "../kube_config.ts";
import { parseLabels } from "./lease_label.ts";
import type { ServerOptions } from "./server_options.ts";
import { version } from "../version.ts";

/** What a server uses the Kubernetes API for. */
export interface ServerKube extends AsyncDisposable {
  /** Undefined where agents need no token. */
  readonly authenticate: Authenticate | undefined;
  /** What is known of leases, for the status; undefined where the server holds none. */
  readonly leases: (() => ServerLeaseReport) | undefined;
  /** Begins to hold the server's lease and to collect those of others, where it should: agents may come now. */
  announce(): void;
  /** Gives the lease up for good, in bounded time; never throws. */
  withdraw(): Promise<void>;
}

/** What is told of the calls of the Kubernetes API. */
export interface ServerKubeEvents {
  readonly leases: ServerLeaseEvents;
  readonly tokens: TokenEvents;
}

/**
 * Prepares the use of the Kubernetes API; asks nothing of it yet.
 * @throws {KubeConfigError} when it is not known how to reach it
 */
export async function openServerKube(
  options: ServerOptions,
  { leases: leaseEvents, tokens: tokenEvents }: ServerKubeEvents,
  clock: Clock,
): Promise<ServerKube> {
  const access = await kubeAccess(options.kubeconfig, clock);
  const rate: KubeClientOptions = {
    userAgent: `proxy-server/${version}`,
    qps: options.kubeconfigQps,
    burst: options.kubeconfigBurst,
    clock,
  };
  // Each has its own rate: a lease does not run out because many agents want to be known.
  const tokens = new KubeClient(access, { ...rate, onThrottled: (by) => tokenEvents.throttled(by) });
  const leases = options.enableLeaseController
    ? leasesOf(new KubeClient(access, rate), options, leaseEvents, clock)
    : undefined;
  return {
    authenticate: options.agentNamespace === "" ? undefined : createTokenAuthenticator({
      client: tokens,
      namespace: options.agentNamespace,
      serviceAccount: options.agentServiceAccount,
      audience: options.authenticationAudience,
      onReviewed: (outcome) => tokenEvents.reviewed(outcome),
      onTooMany: () => tokenEvents.throttled("too_many"),
      clock,
    }),
    leases: leases === undefined ? undefined : () => leases.report(),
    announce: () => leases?.start(),
    withdraw: async () => await leases?.stop(),
    async [Symbol.asyncDispose]() {
      await leases?.stop();
      tokens.close();
    },
  };
}

function leasesOf(
  client: KubeClient,
  { leaseNamespace: namespace, leaseLabel, serverId }: ServerOptions,
  events: ServerLeaseEvents,
  clock: Clock,
): { start(): void; stop(): Promise<void>; report(): ServerLeaseReport } {
  const api = new LeasesApi(client);
  const labels = Object.fromEntries(parseLabels(leaseLabel));
  const controller = new LeaseController({ api, namespace, serverId, labels, clock });
  const collector = new LeaseCollector({ api, namespace, labels, ownName: leaseName(serverId), events, clock });
  return {
    start() {
      controller.start();
      collector.start();
    },
    async stop() {
      await collector.stop();
      await controller.stop();
      client.close();
    },
    report: () => ({
      namespace,
      labelSelector: selectorOf(labels),
      own: controller.report(),
      list: collector.report(),
    }),
  };
}
