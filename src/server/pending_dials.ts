import type { Clock, Deadline } from "../runtime/clock.ts";
import type { ServerTunnel } from "./tunnel.ts";

/** The dials of one backend that its agent has not answered yet, each with its deadline. */
export class PendingDials {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onTimeout: (tunnel: ServerTunnel) => void;
  readonly #pending = new Map<bigint, { readonly tunnel: ServerTunnel; readonly limit: Deadline | undefined }>();

  /**
   * @param options `dialTimeoutMs` in milliseconds; 0: a dial waits for ever
   * @param onTimeout a dial is pending no more, since its time is over
   */
  constructor(
    { dialTimeoutMs, clock }: { readonly dialTimeoutMs: number; readonly clock: Clock },
    onTimeout: (tunnel: ServerTunnel) => void,
  ) {
    this.#clock = clock;
    this.#timeoutMs = dialTimeoutMs;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#pending.size;
  }

  *[Symbol.iterator](): IterableIterator<ServerTunnel> {
    for (const { tunnel } of this.#pending.values()) yield tunnel;
  }

  get(id: bigint): ServerTunnel | undefined {
    return this.#pending.get(id)?.tunnel;
  }

  add(tunnel: ServerTunnel): void {
    const expire = () => {
      if (this.take(tunnel.id) !== undefined) this.#onTimeout(tunnel);
    };
    const limit = this.#timeoutMs === 0 ? undefined : this.#clock.after(this.#timeoutMs, expire, tunnel);
    this.#pending.set(tunnel.id, { tunnel, limit });
  }

  /** Takes a dial out: it was answered, or nobody waits for it any more. */
  take(id: bigint): ServerTunnel | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.limit?.cancel();
    return pending.tunnel;
  }
}
