import { memberOf, objectOf, textMember, textMembers } from "../../../src/kube/client/json_value.ts";
import type { FakeCall } from "./fake_kube_api.ts";

/** What the store needs of a call, whatever carries it. */
export type LeaseCall = Pick<FakeCall, "method" | "path" | "query" | "body" | "answer" | "fail" | "stream">;

interface Watcher {
  readonly selector: string;
  readonly stream: ReturnType<FakeCall["stream"]>;
}

/** Leases as the Kubernetes API keeps them, with versions, conflicts, and a history that it may forget. */
export class LeaseStore {
  readonly #stored = new Map<string, Record<string, unknown>>();
  #history: { readonly version: number; readonly type: string; readonly object: unknown }[] = [];
  readonly #watchers = new Set<Watcher>();
  #version = 100;
  /** Changes up to this one are forgotten. */
  #compacted = 0;

  get names(): string[] {
    return [...this.#stored.keys()].sort();
  }

  get(name: string): Record<string, unknown> | undefined {
    return this.#stored.get(name);
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
    this.#report(known === undefined ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  remove(name: string): void {
    const known = this.#stored.get(name);
    if (known === undefined) return;
    this.#stored.delete(name);
    this.#report("DELETED", {
      ...known,
      metadata: { ...objectOf(known["metadata"]), resourceVersion: String(++this.#version) },
    });
  }

  /** Forgets the changes until now and ends every watch: what comes then has to list again. */
  compact(): void {
    this.#compacted = ++this.#version;
    this.#history = [];
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

  /** Answers a call about leases. */
  answer(call: LeaseCall): void {
    const name = nameIn(call.path);
    const stored = this.#stored.get(name);
    const version = textMember(memberOf(stored, "metadata"), "resourceVersion");
    const uid = textMember(memberOf(stored, "metadata"), "uid");
    const selector = call.query.get("labelSelector") ?? "";
    if (call.method === "POST") {
      const wanted = textMember(memberOf(call.body, "metadata"), "name");
      if (this.#stored.has(wanted)) return call.fail(409, "AlreadyExists");
      return call.answer(201, this.put(objectOf(call.body) ?? {}));
    }
    if (call.query.get("watch") === "true") return this.#watch(call, selector);
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

  #watch(call: LeaseCall, selector: string): void {
    const from = Number(call.query.get("resourceVersion"));
    if (from < this.#compacted) return call.fail(410, "Expired", "too old resource version");
    const stream = call.stream();
    for (const { version, type, object } of this.#history) {
      if (version > from && matches(selector, object)) stream.send({ type, object });
    }
    this.#watchers.add({ selector, stream });
  }

  #report(type: string, object: unknown): void {
    this.#history.push({ version: this.#version, type, object });
    for (const { selector, stream } of this.#watchers) if (matches(selector, object)) stream.send({ type, object });
  }
}

/** The lease that a path names; empty: all. */
export function nameIn(path: string): string {
  return decodeURIComponent(path.split("/leases")[1]?.slice(1) ?? "");
}

/** Selectors of equalities only. */
function matches(selector: string, lease: unknown): boolean {
  const labels = textMembers(memberOf(memberOf(lease, "metadata"), "labels"));
  return selector === "" || selector.split(",").every((pair) => {
    const [key = "", value = ""] = pair.split("=");
    return labels[key] === value;
  });
}
