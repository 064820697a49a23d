import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { owned, ownerOf } from "../faults/owned.ts";
import type { PeerIdentity } from "../wire/peer_identity.ts";
import { HealthWatches, type Watch } from "./health_watches.ts";

/** Largest request, in bytes: it holds a service's name. */
const maxRequestBytes = 1024;

/** What a health service answers. */
export interface HealthStatusOptions {
  /** Full names of the services that the listener serves. The empty name, the listener as a whole, is always known. */
  readonly services: readonly string[];
  /** Whether calls should come now; asked at each check, and after each {@link HealthStatus.changed}. */
  readonly serving: () => boolean;
  /** A watch was refused, or given up for another's, because there are too many. */
  readonly onWatchRefused?: (peer: PeerIdentity) => void;
}

/** Whoever watches a service's status. */
export interface StatusWatcher {
  readonly peer: PeerIdentity;
  /** The status now, and whenever it has changed. */
  status(status: ServingStatus): void;
  /** The watch ends: others have a better right to watch. */
  giveUp(error: ConnectError): void;
}

/** Health in the sense of `grpc.health.v1`: asked at each check, and sent to those who watch when it changes. */
export class HealthStatus {
  readonly #services: ReadonlySet<string>;
  readonly #serving: () => boolean;
  readonly #watches = new HealthWatches();
  readonly #onWatchRefused: (peer: PeerIdentity) => void;

  constructor(options: HealthStatusOptions) {
    this.#onWatchRefused = options.onWatchRefused ?? (() => {});
    this.#services = new Set(["", ...options.services]);
    this.#serving = options.serving;
  }

  /** Says that `serving` may answer otherwise than before. Cheap when nobody watches or nothing has changed. */
  changed(): void {
    this.#watches.wakeAll();
  }

  /** Clients that watch now. */
  get watcherCount(): number {
    return this.#watches.size;
  }

  /** A service's status. @throws {ConnectError} the listener does not serve it */
  check(service: string): ServingStatus {
    const status = this.#status(service);
    if (status === undefined) throw new ConnectError(`unknown service ${JSON.stringify(service)}`, Code.NotFound);
    return status;
  }

  /**
   * Tells a service's status now and after each change.
   * @returns what ends that
   * @throws {ConnectError} too many watch
   */
  watch(service: string, watcher: StatusWatcher): () => void {
    let last: ServingStatus | undefined;
    const watch: Watch = {
      peer: watcher.peer,
      wake: () => {
        const status = this.#status(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status === last) return;
        last = status;
        watcher.status(status);
      },
      giveUp: (error) => {
        this.#onWatchRefused(watcher.peer);
        watcher.giveUp(error);
      },
    };
    try {
      this.#watches.add(watch);
    } catch (error) {
      this.#onWatchRefused(watcher.peer);
      throw error;
    }
    watch.wake();
    return () => this.#watches.remove(watch);
  }

  #status(service: string): ServingStatus | undefined {
    if (!this.#services.has(service)) return undefined;
    return this.#serving() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }
}

/** A call of a method that a listener serves without Connect's router. */
export interface HealthCall {
  readonly peer: PeerIdentity;
  readonly request: Uint8Array;
  send(message: Uint8Array): void;
  end(error?: ConnectError): void;
  onGone(listener: () => void): void;
}

/** Such a method. */
export interface HealthMethod {
  readonly path: string;
  readonly maxRequestBytes: number;
  handle(call: HealthCall): void;
}

/** `grpc.health.v1.Health` for callers that speak gRPC. */
export function healthMethods(health: HealthStatus): readonly HealthMethod[] {
  const path = (method: { readonly name: string }) => `/${Health.typeName}/${method.name}`;
  return [{
    path: path(Health.method.check),
    maxRequestBytes,
    handle(call) {
      call.send(encoded(health.check(serviceOf(call))));
      call.end();
    },
  }, {
    path: path(Health.method.watch),
    maxRequestBytes,
    handle(call) {
      const stop = health.watch(serviceOf(call), {
        peer: call.peer,
        status: (status) => call.send(encoded(status)),
        giveUp: (error) => call.end(error),
      });
      call.onGone(stop);
    },
  }];
}

function serviceOf({ request }: HealthCall): string {
  try {
    return fromBinary(HealthCheckRequestSchema, request).service;
  } catch {
    throw new ConnectError("request is no HealthCheckRequest", Code.Internal);
  }
}

function encoded(status: ServingStatus): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status }));
}

/**
 * Registers `grpc.health.v1.Health` in a Connect router, for callers that speak Connect's protocol or gRPC-Web.
 * @param peerOf who calls
 */
export function healthRoutes(
  router: ConnectRouter,
  health: HealthStatus,
  peerOf: (context: HandlerContext) => PeerIdentity,
): void {
  router.service(Health, {
    check({ service }: HealthCheckRequest): HealthCheckResponse {
      return create(HealthCheckResponseSchema, { status: health.check(service) });
    },
    async *watch({ service }: HealthCheckRequest, context: HandlerContext) {
      for await (const status of statuses(health, service, peerOf(context), context.signal)) {
        yield create(HealthCheckResponseSchema, { status });
      }
    },
  }, { readMaxBytes: maxRequestBytes });
}

/** A service's status now and after each change, until the signal aborts. What nobody has read yet is the newest alone. */
async function* statuses(
  health: HealthStatus,
  service: string,
  peer: PeerIdentity,
  signal: AbortSignal,
): AsyncGenerator<ServingStatus> {
  let newest: ServingStatus | undefined;
  let failure: ConnectError | undefined;
  let wake = () => {};
  const stop = health.watch(service, {
    peer,
    status(status) {
      newest = status;
      wake();
    },
    giveUp(error) {
      failure = error;
      wake();
    },
  });
  // Also here and not only when the generator ends: nobody may ever ask a generator on again whose reader is gone.
  const gone = owned(ownerOf("health"), () => {
    stop();
    wake();
  });
  signal.addEventListener("abort", gone);
  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw failure;
      const status = newest;
      newest = undefined;
      if (status !== undefined) yield status;
      else await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    stop();
    signal.removeEventListener("abort", gone);
  }
}
