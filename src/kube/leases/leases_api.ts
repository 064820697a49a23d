import { listMember, memberOf, textMember } from "../client/json_value.ts";
import type { KubeClient } from "../client/kube_client.ts";
import { KubeError } from "../client/kube_error.ts";
import { type Lease, leaseOf, microTime } from "./lease.ts";

/** What a holder writes into its lease. */
export interface LeaseContent {
  readonly labels: Readonly<Record<string, string>>;
  readonly holderIdentity: string;
  readonly renewTimeMs: number;
  readonly durationSeconds: number;
}

/** All leases that match, at one moment. */
export interface LeaseList {
  readonly leases: readonly Lease[];
  /** Where a watch goes on. */
  readonly resourceVersion: string;
  /** The API's time of day at that moment, in milliseconds since the epoch; undefined where it did not say. */
  readonly apiTimeMs: number | undefined;
}

/** An event of a watch. `bookmark` says only how far the watch has come. */
export type LeaseEvent =
  | { readonly kind: "changed" | "deleted"; readonly lease: Lease }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

/** Which leases. */
export interface LeaseScope {
  /** Empty: all namespaces, for lists and watches only. */
  readonly namespace: string;
  /** Kubernetes' label selector; empty: all. */
  readonly labelSelector: string;
}

const apiVersion = "coordination.k8s.io/v1";
const pageSize = "500";
/** How long the API should let a watch run, in seconds; up to twice as long, so that watches do not end together. */
const watchSeconds = 300;
/** The API sends a bookmark a minute where nothing else happens. */
const watchIdleMs = 150_000;

/** Leases of the Kubernetes API. Every call throws {@link KubeError}, or the signal's reason when it aborts. */
export class LeasesApi {
  readonly #client: KubeClient;
  readonly #random: () => number;

  /** @param random uniform in [0, 1); a parameter so that tests can choose */
  constructor(client: KubeClient, random: () => number = Math.random) {
    this.#client = client;
    this.#random = random;
  }

  async get(namespace: string, name: string, signal: AbortSignal): Promise<Lease> {
    return leaseIn(await this.#client.call({ method: "GET", path: pathOf(namespace, name) }, signal));
  }

  async create(namespace: string, name: string, content: LeaseContent, signal: AbortSignal): Promise<Lease> {
    const body = bodyOf({ name, namespace }, content);
    return leaseIn(await this.#client.call({ method: "POST", path: pathOf(namespace), body }, signal));
  }

  /** Replaces what the lease holds; `Conflict` when it has changed since it was read. */
  async update(lease: Lease, content: LeaseContent, signal: AbortSignal): Promise<Lease> {
    const { name, namespace, uid, resourceVersion } = lease;
    const body = bodyOf({ name, namespace, uid, resourceVersion }, content);
    return leaseIn(await this.#client.call({ method: "PUT", path: pathOf(namespace, name), body }, signal));
  }

  /**
   * Deletes exactly this lease, not one of the same name that came after it.
   * @param unchanged refuses also (`Conflict`) when it has changed since it was read
   */
  async delete(lease: Lease, unchanged: boolean, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid, resourceVersion } = lease;
    const preconditions = { uid, ...(unchanged ? { resourceVersion } : {}) };
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions };
    await this.#client.call({ method: "DELETE", path: pathOf(namespace, name), body }, signal);
  }

  async list({ namespace, labelSelector }: LeaseScope, signal: AbortSignal): Promise<LeaseList> {
    const leases: Lease[] = [];
    let next = "";
    for (;;) {
      const { value, apiTimeMs } = await this.#client.call({
        method: "GET",
        path: pathOf(namespace),
        query: { ...selection(labelSelector), limit: pageSize, ...(next === "" ? {} : { continue: next }) },
      }, signal);
      for (const item of listMember(value, "items")) {
        const lease = leaseOf(item);
        if (lease !== undefined) leases.push(lease);
      }
      const metadata = memberOf(value, "metadata");
      const resourceVersion = textMember(metadata, "resourceVersion");
      if (resourceVersion === "") throw new KubeError("malformed", "a list of leases has no resource version");
      next = textMember(metadata, "continue");
      if (next === "") return { leases, resourceVersion, apiTimeMs };
    }
  }

  /**
   * Follows changes from a list or an earlier event on, until the API ends it.
   * @throws {KubeError} also while it is read; `status` 410 when what came after `resourceVersion` is not known any more
   */
  async watch(
    { namespace, labelSelector }: LeaseScope,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<LeaseEvent>> {
    const values = await this.#client.stream(
      {
        method: "GET",
        path: pathOf(namespace),
        query: {
          ...selection(labelSelector),
          watch: "true",
          allowWatchBookmarks: "true",
          resourceVersion,
          timeoutSeconds: String(Math.round(watchSeconds * (1 + this.#random()))),
        },
      },
      watchIdleMs,
      signal,
    );
    return eventsOf(values);
  }
}

async function* eventsOf(values: AsyncIterable<unknown>): AsyncIterable<LeaseEvent> {
  for await (const value of values) {
    const object = memberOf(value, "object");
    const type = textMember(value, "type");
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED": {
        const lease = leaseOf(object);
        if (lease === undefined) throw new KubeError("malformed", `a watch of leases sent one without a name`);
        yield { kind: type === "DELETED" ? "deleted" : "changed", lease };
        break;
      }
      case "BOOKMARK":
        yield { kind: "bookmark", resourceVersion: textMember(memberOf(object, "metadata"), "resourceVersion") };
        break;
      case "ERROR": {
        const status = memberOf(object, "code");
        throw new KubeError("status", `a watch of leases ended: ${textMember(object, "message")}`, {
          ...(typeof status === "number" ? { status } : {}),
          reason: textMember(object, "reason"),
        });
      }
      default:
        throw new KubeError("malformed", "a watch of leases sent an event of an unknown type");
    }
  }
}

function selection(labelSelector: string): Record<string, string> {
  return labelSelector === "" ? {} : { labelSelector };
}

function pathOf(namespace: string, name: string = ""): string {
  return `/apis/${apiVersion}${namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/leases` +
    (name === "" ? "" : `/${encodeURIComponent(name)}`);
}

function bodyOf(metadata: Readonly<Record<string, string>>, content: LeaseContent): unknown {
  return {
    apiVersion,
    kind: "Lease",
    metadata: { ...metadata, labels: content.labels },
    spec: {
      holderIdentity: content.holderIdentity,
      renewTime: microTime(content.renewTimeMs),
      leaseDurationSeconds: content.durationSeconds,
    },
  };
}

function leaseIn({ value }: { readonly value: unknown }): Lease {
  const lease = leaseOf(value);
  if (lease === undefined) throw new KubeError("malformed", "the Kubernetes API answered with no lease");
  return lease;
}
