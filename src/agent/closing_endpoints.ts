import { watchProgress } from "../streams/progress.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AgentLimits } from "./agent_limits.ts";
import type { Endpoint } from "./endpoint.ts";

/** Endpoints of a link whose tunnel is over and whose socket still writes its last bytes; each has a bounded time. */
export class ClosingEndpoints {
  readonly #clock: Clock;
  readonly #limits: AgentLimits;
  /** With what ends their wait. */
  readonly #cancels = new Map<Endpoint, () => void>();
  #sent = 0;
  #received = 0;

  constructor(clock: Clock, limits: AgentLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Bytes for destinations, and of them, of all tunnels that are over. */
  get bytes(): { readonly sent: number; readonly received: number } {
    return { sent: this.#sent, received: this.#received };
  }

  get size(): number {
    return this.#cancels.size;
  }

  [Symbol.iterator](): IterableIterator<Endpoint> {
    return this.#cancels.keys();
  }

  /** An endpoint's tunnel is over. While some of its bytes go out, it is waited for. */
  add(endpoint: Endpoint): void {
    const { sent, received } = endpoint.bytes;
    this.#sent += sent;
    this.#received += received;
    const cancel = endpoint.state === "closing"
      ? watchProgress(
        () => endpoint.heldBytes,
        { everyMs: this.#limits.closeGraceMs, after: this.#clock.after, owner: endpoint },
        () => endpoint.destroy(),
      )
      : () => {};
    this.#cancels.set(endpoint, cancel);
  }

  /** It has nothing to write, and its destination keeps sending: it is dropped soon. */
  keepsSending(endpoint: Endpoint): void {
    const cancel = this.#cancels.get(endpoint);
    if (cancel === undefined) return;
    cancel();
    const { excessGraceMs } = this.#limits;
    const excess = this.#clock.after(excessGraceMs, () => endpoint.destroy(), endpoint);
    this.#cancels.set(endpoint, () => excess.cancel());
  }

  /** Its socket is gone. */
  delete(endpoint: Endpoint): void {
    this.#cancels.get(endpoint)?.();
    this.#cancels.delete(endpoint);
  }
}
