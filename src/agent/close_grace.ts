import type { Clock } from "./clock.ts";

/** What {@link closeGrace} ends: an endpoint. */
export interface Finishing {
  /** Bytes that wait for the destination. */
  readonly heldBytes: number;
  destroy(): void;
}

/**
 * Gives the destination of a tunnel that is over time for its last bytes: as long as it takes some of them in each span of
 * `graceMs`, however slowly. Then its socket is dropped.
 * @returns what takes the grace back, once the socket is gone
 */
export function closeGrace(clock: Clock, graceMs: number, endpoint: Finishing): () => void {
  let before = endpoint.heldBytes;
  const look = () => {
    const held = endpoint.heldBytes;
    if (held >= before) return endpoint.destroy();
    before = held;
    cancel = clock.limit(graceMs, look);
  };
  let cancel = clock.limit(graceMs, look);
  return () => cancel();
}
