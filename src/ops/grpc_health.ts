import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";

/** How many clients may watch at once; each costs a stream. */
const watcherLimit = 100;

/** What a health service tells. */
export interface HealthStatusOptions {
  /** Full names of the services that the listener serves. The empty name, the listener as a whole, is always known. */
  readonly services: readonly string[];
  /** Whether calls should come now; asked at each check, and after each {@link HealthStatus.changed}. */
  readonly serving: () => boolean;
}

/** Health in the sense of `grpc.health.v1`: asked at each check, and told to those who watch when it changes. */
export class HealthStatus {
  readonly #services: ReadonlySet<string>;
  readonly #serving: () => boolean;
  readonly #watchers = new Set<() => void>();

  constructor(options: HealthStatusOptions) {
    this.#services = new Set(["", ...options.services]);
    this.#serving = options.serving;
  }

  /** Says that `serving` may answer otherwise than before. Cheap when nobody watches or nothing has changed. */
  changed(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  /** Clients that watch now. */
  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** A service's status; undefined when the listener does not serve it. */
  status(service: string): ServingStatus | undefined {
    if (!this.#services.has(service)) return undefined;
    return this.#serving() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  /** A service's status now and after each change, until the signal aborts. @throws {ConnectError} too many watch */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus> {
    if (this.#watchers.size >= watcherLimit) {
      throw new ConnectError(`${watcherLimit} clients watch already`, Code.ResourceExhausted);
    }
    let wake = () => {};
    const watcher = () => wake();
    // Also here and not only when the generator ends: nobody may ever ask a generator on again whose reader is gone.
    const gone = () => {
      this.#watchers.delete(watcher);
      wake();
    };
    this.#watchers.add(watcher);
    signal.addEventListener("abort", gone);
    try {
      let last: ServingStatus | undefined;
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => wake = resolve);
        const status = this.status(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status !== last) {
          last = status;
          yield status;
        }
        if (signal.aborted) break;
        await changed;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", gone);
    }
  }
}

/** Registers `grpc.health.v1.Health` in a Connect router. */
export function healthRoutes(router: ConnectRouter, health: HealthStatus): void {
  router.service(Health, {
    check({ service }: HealthCheckRequest): HealthCheckResponse {
      const status = health.status(service);
      if (status === undefined) {
        throw new ConnectError(`unknown service ${JSON.stringify(service)}`, Code.NotFound);
      }
      return create(HealthCheckResponseSchema, { status });
    },
    async *watch({ service }: HealthCheckRequest, { signal }: HandlerContext) {
      for await (const status of health.watch(service, signal)) yield create(HealthCheckResponseSchema, { status });
    },
  });
}
