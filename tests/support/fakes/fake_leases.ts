import { KubeClient } from "../../../src/kube/client/kube_client.ts";
import { LeasesApi } from "../../../src/kube/leases/leases_api.ts";
import { memberOf, objectOf, textMember, textMembers } from "../../../src/kube/client/json_value.ts";
import { type FakeCall, type FakeKubeApi, startFakeKubeApi } from "./fake_kube_api.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

interface Watcher {
  readonly selector: string;
  readonly stream: ReturnType<FakeCall["stream"]>;
}

/** Leases as the API keeps them, in memory, behind a {@link FakeKubeApi}; and a client for them. */
export class FakeLeases implements AsyncDisposable {
  readonly api: FakeKubeApi;
  readonly leases: LeasesApi;
  /** Looks at each call first; true: it has answered. */
  intercept: (call: FakeCall) => boolean = () => false;
  readonly #client: KubeClient;
  readonly #stored = new Map<string, Record<string, unknown>>();
  readonly #history: { readonly version: number; readonly type: string; readonly object: unknown }[] = [];
  readonly #watchers = new Set<Watcher>();
  #version = 100;
  /** Changes up to this one are forgotten. */
  #compacted = 0;

  constructor(api: FakeKubeApi) {
    this.api = api;
    api.handle = (call) => {
      if (!this.intercept(call)) this.#answer(call);
    };
    this.#client = new KubeClient({
      server: new URL(api.url),
      insecure: false,
      credentials: () => Promise.resolve({ ca: api.certificates.ca.certPem }),
      expire: () => {},
    }, { userAgent: "test", qps: 1000, burst: 1000, clock: systemClock });
    this.leases = new LeasesApi(this.#client);
  }

  get names(): string[] {
    return [...this.#stored.keys()].sort();
  }

  /** Watches that are open. */
  get watchers(): number {
    return this.api.streams;
  }

  get(name: string): Record<string, unknown> | undefined {
    return this.#stored.get(name);
  }

  /** Calls that were made, as `METHOD name`, a list's name being empty and a watch's method WATCH. */
  get log(): string[] {
    return this.api.calls.map(({ method, path, query }) => {
      const name = path.split("/leases")[1]?.slice(1) ?? "";
      return `${query.has("watch") ? "WATCH" : method} ${name}`.trim();
    });
  }

  /** Stores a lease as somebody else would; returns it as stored. */
  put(value: Record<string, unknown>): Record<string, unknown> {
    const name = textMember(memberOf(value, "metadata"), "name");
    const known = this.#stored.get(name);
    const uid = textMember(memberOf(known, "metadata"), "uid") || `uid-${name}-${this.#version}`;
    const stored = {
      ...value,
      metadata: {
        namespace: "kube-system",
        ...objectOf(memberOf(value, "metadata")),
        uid,
        resourceVersion: String(++this.#version),
      },
    };
    this.#stored.set(name, stored);
    this.#tell(known === undefined ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  remove(name: string): void {
    const known = this.#stored.get(name);
    if (known === undefined) return;
    this.#stored.delete(name);
    this.#tell("DELETED", {
      ...known,
      metadata: { ...objectOf(known["metadata"]), resourceVersion: String(++this.#version) },
    });
  }

  /** Forgets the changes until now and ends every watch: what comes then has to list again. */
  compact(): void {
    this.#compacted = ++this.#version;
    this.endWatches();
  }

  endWatches(): void {
    for (const { stream } of this.#watchers) stream.end();
    this.#watchers.clear();
  }

  bookmark(): void {
    const object = { kind: "Lease", metadata: { resourceVersion: String(++this.#version) } };
    for (const { stream } of this.#watchers) stream.send({ type: "BOOKMARK", object });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.api[Symbol.asyncDispose]();
  }

  #tell(type: string, object: unknown): void {
    this.#history.push({ version: this.#version, type, object });
    for (const { selector, stream } of this.#watchers) if (matches(selector, object)) stream.send({ type, object });
  }

  #answer(call: FakeCall): void {
    const name = decodeURIComponent(call.path.split("/leases")[1]?.slice(1) ?? "");
    const stored = this.#stored.get(name);
    const version = textMember(memberOf(stored, "metadata"), "resourceVersion");
    const uid = textMember(memberOf(stored, "metadata"), "uid");
    const selector = call.query.get("labelSelector") ?? "";
    if (call.method === "POST") {
      const wanted = textMember(memberOf(call.body, "metadata"), "name");
      if (this.#stored.has(wanted)) return call.fail(409, "AlreadyExists");
      return call.answer(201, this.put(objectOf(call.body) ?? {}));
    }
    if (call.query.get("watch") === "true") {
      const from = Number(call.query.get("resourceVersion"));
      if (from < this.#compacted) return call.fail(410, "Expired", "too old resource version");
      const stream = call.stream();
      for (const { version, type, object } of this.#history) {
        if (version > from && matches(selector, object)) stream.send({ type, object });
      }
      this.#watchers.add({ selector, stream });
      return;
    }
    if (name === "") {
      const items = [...this.#stored.values()].filter((lease) => matches(selector, lease));
      return call.answer(200, { kind: "LeaseList", metadata: { resourceVersion: String(this.#version) }, items });
    }
    if (stored === undefined) return call.fail(404, "NotFound", `leases "${name}" not found`);
    if (call.method === "GET") return call.answer(200, stored);
    const wanted = memberOf(call.body, call.method === "DELETE" ? "preconditions" : "metadata");
    const wantedVersion = textMember(wanted, "resourceVersion");
    if ((wantedVersion !== "" && wantedVersion !== version) || textMember(wanted, "uid") !== uid) {
      return call.fail(409, "Conflict");
    }
    if (call.method === "PUT") return call.answer(200, this.put(objectOf(call.body) ?? {}));
    this.remove(name);
    call.answer(200, { kind: "Status", status: "Success" });
  }
}

export async function startFakeLeases(): Promise<FakeLeases> {
  return new FakeLeases(await startFakeKubeApi());
}

/** Selectors of equalities only. */
function matches(selector: string, lease: unknown): boolean {
  const labels = textMembers(memberOf(memberOf(lease, "metadata"), "labels"));
  return selector === "" || selector.split(",").every((pair) => {
    const [key = "", value = ""] = pair.split("=");
    return labels[key] === value;
  });
}
