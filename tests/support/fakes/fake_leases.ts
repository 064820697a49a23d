import { KubeClient } from "../../../src/kube/client/kube_client.ts";
import { LeasesApi } from "../../../src/kube/leases/leases_api.ts";
import { type FakeCall, type FakeKubeApi, startFakeKubeApi } from "./fake_kube_api.ts";
import { LeaseStore } from "./lease_store.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

/** Leases as the API keeps them, in memory, behind a {@link FakeKubeApi}; and a client for them. */
export class FakeLeases extends LeaseStore implements AsyncDisposable {
  readonly api: FakeKubeApi;
  readonly leases: LeasesApi;
  /** Looks at each call first; true: it has answered. */
  intercept: (call: FakeCall) => boolean = () => false;
  readonly #client: KubeClient;

  constructor(api: FakeKubeApi) {
    super();
    this.api = api;
    api.handle = (call) => {
      if (!this.intercept(call)) this.answer(call);
    };
    this.#client = new KubeClient({
      server: new URL(api.url),
      insecure: false,
      credentials: () => Promise.resolve({ ca: api.certificates.ca.certPem }),
      expire: () => {},
    }, { userAgent: "test", qps: 1000, burst: 1000, clock: systemClock });
    this.leases = new LeasesApi(this.#client);
  }

  /** Watches that are open. */
  get watchers(): number {
    return this.api.streams;
  }

  /** Calls that were made, as `METHOD name`, a list's name being empty and a watch's method WATCH. */
  get log(): string[] {
    return this.api.calls.map(({ method, path, query }) => {
      const name = path.split("/leases")[1]?.slice(1) ?? "";
      return `${query.has("watch") ? "WATCH" : method} ${name}`.trim();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.api[Symbol.asyncDispose]();
  }
}

export async function startFakeLeases(): Promise<FakeLeases> {
  return new FakeLeases(await startFakeKubeApi());
}
