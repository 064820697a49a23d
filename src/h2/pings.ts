/** First byte of a ping that waits for the peer to have heard of a GOAWAY, and of one that asks for a sign of life. */
const drainMark = 0x64;
const probeMark = 0x70;

/** Tells the answers to this side's pings apart. Peers answer in order (RFC 9113, section 6.7). */
export class Pings {
  #probes: (() => void)[] | undefined;
  #onDrained: (() => void) | undefined;

  /** The payload of a ping that asks for a sign of life. */
  probe(onPong: () => void): Uint8Array {
    this.#probes ??= [];
    this.#probes.push(onPong);
    return Uint8Array.of(probeMark, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The payload of a ping behind a GOAWAY. */
  drain(onPong: () => void): Uint8Array {
    this.#onDrained = onPong;
    return Uint8Array.of(drainMark, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The peer answered; an answer to nothing is ignored. */
  answered(payload: Uint8Array): void {
    if (payload[0] === probeMark) this.#probes?.shift()?.();
    if (payload[0] !== drainMark) return;
    const onDrained = this.#onDrained;
    this.#onDrained = undefined;
    onDrained?.();
  }
}
